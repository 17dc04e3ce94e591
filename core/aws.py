"""boto3's clients, one per process for each service and configuration.

boto3 and botocore are imported inside functions, since most processes of a Lambda never need them: the calls of nearly
every invocation are in ``core/aws_call.py``. A handler that does need one creates it in its initialization. Lambda
provides both outside the bundle: ``tests/infra/test_bundle.py`` imports each handler without them.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

Response = TypeVar("Response")


@cache
def client(
    service: str, *, connect_seconds: float = 2, read_seconds: float, attempts: int | None = None, **config: Any
) -> Any:
    """Return a boto3 client. ``attempts`` includes the first one; without it botocore's default applies.

    More keyword arguments are botocore's ``Config``.
    """
    import boto3  # noqa: PLC0415 - slows down cold starts, see the module's docstring
    from botocore.config import Config  # noqa: PLC0415 - slows down cold starts, see the module's docstring

    if attempts is not None:
        config["retries"] = {"mode": "standard", "total_max_attempts": attempts}
    # Without its type, since the stubs have no overload for a service that is a variable.
    create_client: Any = boto3.client
    return create_client(service, config=Config(connect_timeout=connect_seconds, read_timeout=read_seconds, **config))


def repeat_if_disconnected(call: Callable[[], Response]) -> Response:
    """Return what ``call`` returns. It is called a second time if its connection is refused or closed.

    Only for calls that may take effect twice: the first may have reached the service. A Lambda that was paused still
    has connections that the service has closed since, and learns of it from the first call that uses them. Raises what
    the second call raises.
    """
    from botocore.exceptions import (  # noqa: PLC0415 - slows down cold starts, see the module's docstring
        ConnectionClosedError,
        EndpointConnectionError,
        ResponseStreamingError,
    )

    try:
        return call()
    except (ConnectionClosedError, EndpointConnectionError, ResponseStreamingError):
        return call()
