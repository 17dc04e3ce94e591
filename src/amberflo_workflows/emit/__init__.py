"""Report usage from application code: a background thread sends usages to the event bus in batches.

    with UsageEmitter("metering-bus", source="my.app") as usage:
        usage.record("acme", "api-calls", 1)

The id and time of a usage are set when it is recorded, so a usage that is sent twice is the same record and counts
once. Usages that could not be sent are returned, by ``on_failure`` or by :class:`UsageNotSent`.

When Python exits, an ``atexit`` function closes the open emitters. The thread is a daemon, because Python waits for
other threads before it calls such functions. A process that ends in another way does not send its queued usages:
``os._exit``, a signal without a handler, a forked ``multiprocessing`` child.
"""

from amberflo_workflows.emit.emitter import UsageEmitter
from amberflo_workflows.emit.errors import UsageNotSent, UsageNotTaken

__all__ = ["UsageEmitter", "UsageNotSent", "UsageNotTaken"]
