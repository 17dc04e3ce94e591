"""How usage comes back to the caller, and what may be said of an error."""

from collections.abc import Mapping
from typing import Any, Final

# Errors that last: those that PutEvents documents as such, and what botocore cannot even send. Any other may pass,
# and to try again does no harm.
PERMANENT: Final = frozenset(
    (  # noqa: SIM905 - one a line, they would fill the page
        "AccessDenied AccessDeniedException NotAuthorizedForSourceException NotAuthorizedForDetailTypeException "
        "UnrecognizedClientException InvalidClientTokenId InvalidSignatureException InvalidAccountIdException "
        "ResourceNotFoundException ValidationException ValidationError InvalidArgument MalformedDetail "
        "RedactionFailure NoCredentialsError PartialCredentialsError ParamValidationError"
    ).split()
)


class UsageNotTaken(Exception):
    """``record()`` did not take a usage: the buffer is full, or the emitter closed. The caller still has it."""


class UsageNotSent(Exception):
    """Usages were given up. ``usages``: what they are, with identity and time; ``error``: the last reason."""

    def __init__(self, usages: list[dict[str, Any]], error: Exception) -> None:
        super().__init__(f"{len(usages)} usages could not be sent ({code_of(error)}); .usages has them")
        self.usages = usages
        self.error = error


def code_of(error: Exception) -> str:
    """AWS's code of an error, else its class. Never its message: there may be usage in it."""
    response = getattr(error, "response", None)  # there and None if the connection failed
    told = response.get("Error", {}) if isinstance(response, dict) else {}
    return str(told.get("Code") or type(error).__name__)


def refusal(result: Mapping[str, Any]) -> Exception:
    """A failed entry's result as the error that botocore raises for a call."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as boto3 below

    code, message = result.get("ErrorCode", "Unknown"), result.get("ErrorMessage", "")
    return ClientError({"Error": {"Code": code, "Message": message}}, "PutEvents")
