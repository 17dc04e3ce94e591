"""Usage reporting for application code: usages go to the event bus in batches, from a thread in the background.

    with UsageEmitter("metering-bus", source="my.app") as usage:
        usage.record("acme", "api-calls", 1)

Identity and time of a usage are fixed when it is recorded, so whatever is sent twice is the same record and counts
once. What could not be sent is handed back, by ``on_failure`` or by :class:`UsageNotSent`.

When Python exits, an ``atexit`` function closes the emitters that are open. The thread is a daemon, because Python
waits for any other before it calls such functions. What ends without that exit does not send what is waiting:
``os._exit``, a signal without a handler, a ``multiprocessing`` child that was forked.
"""

from amberflo_workflows.emit.emitter import UsageEmitter
from amberflo_workflows.emit.errors import UsageNotSent, UsageNotTaken

__all__ = ["UsageEmitter", "UsageNotSent", "UsageNotTaken"]
