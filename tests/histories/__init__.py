"""Random histories of usage, in one process: whatever happens, no usage is lost and none counts twice.

::

    report ─► queue ─► ingest_queue ─► ingest_usage ─► steps ─► Amberflo          ledger: what was reported,
                │ five failures          │                                        and the place of each usage
                ▼                        ▼                                                   ▲
              dead ◄─ redrive, drop    rejected ◄─ edit, redrive, drop       observed place ─┘ after every rule

Real: the handlers, the definitions of the workflows, ``operate``, boto3, and the sandbox in Amberflo's place. Queues,
tables, the secret and the interpreter of the definitions are MiniStack's own modules, without its server.

Replaced, in :mod:`~tests.histories.network` and :mod:`~tests.histories.lambdas`: the sockets, the processes of the
Lambdas, the clock, and threads, which run one after the other so that a history can be repeated. The event bus is left
out: a report is a message in the queue.

:mod:`~tests.histories.ledger` is the model, :mod:`~tests.histories.machine` has the rules.
"""
