"""AWS clients, one per process for each service and configuration."""

from functools import cache
from typing import Any


@cache
def client(
    service: str, *, connect_seconds: float = 2, read_seconds: float, attempts: int | None = None, **config: Any
) -> Any:
    """Return a boto3 client. ``attempts`` includes the first one; without it botocore's default applies.

    More keyword arguments are botocore's ``Config``. boto3 is imported on the first call, because it takes most of a
    cold start and many invocations need no client.
    """
    import boto3  # noqa: PLC0415 - slow to import, and not always needed
    from botocore.config import Config  # noqa: PLC0415 - slow to import, and not always needed

    if attempts is not None:
        config["retries"] = {"mode": "standard", "total_max_attempts": attempts}
    # Without its type, since the stubs have no overload for a service that is a variable.
    create_client: Any = boto3.client
    return create_client(service, config=Config(connect_timeout=connect_seconds, read_timeout=read_seconds, **config))
