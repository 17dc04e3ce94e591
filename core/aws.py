"""AWS clients, one per process for each service and configuration."""

from functools import cache
from typing import Any


@cache
def client(
    service: str, *, connect_seconds: float = 2, read_seconds: float, attempts: int | None = None, **config: Any
) -> Any:
    """A boto3 client. ``attempts`` counts the first one; without it botocore's default applies.

    More ``config`` is botocore's. boto3 is imported on the first call: it is most of a cold start, and many
    invocations need no client.
    """
    import boto3  # noqa: PLC0415 - see above
    from botocore.config import Config  # noqa: PLC0415 - see above

    if attempts is not None:
        config["retries"] = {"mode": "standard", "total_max_attempts": attempts}
    make: Any = boto3.client
    return make(service, config=Config(connect_timeout=connect_seconds, read_timeout=read_seconds, **config))
