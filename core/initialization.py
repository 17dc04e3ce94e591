"""Work that a Lambda does when it starts a process, before its first invocation.

Lambda initializes a process with a full processor, and then gives it only the share that goes with its memory: 0.29 of
one for 512 MB. So what every process needs once is done here.
"""

import os
from collections.abc import Callable

from aws_lambda_powertools import Logger

logger = Logger(child=True)


def at_initialization(prepare: Callable[[], object]) -> None:
    """Call ``prepare``, if this process is a Lambda's.

    Its errors are logged only: the invocation that needs the result tries again, and reports them.
    """
    # A snapshot is restored after any time, when credentials and what was read have changed.
    is_snapshot = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"
    if "AWS_LAMBDA_RUNTIME_API" not in os.environ or is_snapshot:
        return
    try:
        prepare()
    except Exception:
        logger.warning("initialization incomplete", exc_info=True)
