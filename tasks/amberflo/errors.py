"""What can go wrong between a step and Amberflo.

The class names are what ``Retry`` and ``Catch`` in ``workflows/`` match::

    Exception
    ├── AmberfloError
    │   ├── AmberfloThrottled      429: slow down
    │   ├── AmberfloUnavailable    5xx, no connection, time-out, redirect, an answer that makes no sense
    │   ├── AmberfloUnauthorized   401, 403: the API key was refused; or its version is gone
    │   ├── AmberfloBatchRejected  an ingest batch was refused as a whole
    │   └── AmberfloRefused        the caller can mend it: a step turns it into a 4xx answer, so no workflow sees it
    └── ApiKeyUnavailable          the secret is missing, empty, not JSON or lacks the key

Messages go to callers and logs. They never hold the key or a body.
"""


class AmberfloError(Exception):
    """A call to Amberflo did not succeed."""


class AmberfloThrottled(AmberfloError):
    """Amberflo answered 429."""


class AmberfloUnavailable(AmberfloError):
    """Amberflo could not be reached, failed, or answered what cannot be understood."""


class AmberfloUnauthorized(AmberfloError):
    """Amberflo answered 401 or 403, or the key is of a version that is gone: ask for the one in force."""


class AmberfloBatchRejected(AmberfloError):
    """Amberflo refused a batch of usage records; at least one of them is wrong."""


class AmberfloClientError(AmberfloError):
    """The request is wrong, not the service: a 400, 404, 409, 413 or 422, or an answer that is too large to be read."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ApiKeyUnavailable(Exception):
    """The API key could not be read from Secrets Manager; the message says why, ``is_outage`` that this will pass."""

    def __init__(self, message: str, *, is_outage: bool = False) -> None:
        super().__init__(message)
        self.is_outage = is_outage
