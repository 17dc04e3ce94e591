"""The errors of a call to Amberflo.

``Retry`` and ``Catch`` in ``workflows/`` match the class names::

    Exception
    ├── AmberfloError
    │   ├── AmberfloThrottled      429
    │   ├── AmberfloUnavailable    5xx, no connection, timeout, redirect, a response that cannot be parsed
    │   ├── AmberfloUnauthorized   401, 403: the API key was rejected; or its version no longer exists
    │   ├── AmberfloBatchRejected  a request with several usage records was rejected
    │   └── AmberfloClientError    the caller can fix it: a step turns it into a 4xx response, so no workflow sees it
    └── ApiKeyUnavailable          the secret is missing, empty, not JSON or lacks the key

Messages go to callers and logs. They never contain the key or a body.
"""


class AmberfloError(Exception):
    """A call to Amberflo failed."""


class AmberfloThrottled(AmberfloError):
    """Amberflo returned 429."""


class AmberfloUnavailable(AmberfloError):
    """Amberflo could not be reached, failed, or returned a response that cannot be parsed."""


class AmberfloUnauthorized(AmberfloError):
    """Amberflo returned 401 or 403, or the key's version no longer exists: resolve the current version."""


class AmberfloBatchRejected(AmberfloError):
    """Amberflo rejected a request with several usage records, at least one of which is invalid."""


class AmberfloClientError(AmberfloError):
    """The request has to change: a 400, 404, 409, 413 or 422, or a response that is too large to be read."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ApiKeyUnavailable(Exception):
    """The API key could not be read from Secrets Manager; the message says why, ``is_outage`` whether it may pass."""

    def __init__(self, message: str, *, is_outage: bool = False) -> None:
        super().__init__(message)
        self.is_outage = is_outage
