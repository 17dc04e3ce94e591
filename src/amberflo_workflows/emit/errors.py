"""Errors of the emitter, and the codes of AWS's errors."""

from collections.abc import Mapping
from typing import Any, Final

# Permanent errors: those that PutEvents documents as permanent, and those of requests that botocore cannot send. Any
# other error may be temporary, and a retry is harmless.
PERMANENT_ERRORS: Final = frozenset(
    (  # noqa: SIM905 - a list would be three times as long
        "AccessDenied AccessDeniedException NotAuthorizedForSourceException NotAuthorizedForDetailTypeException "
        "UnrecognizedClientException InvalidClientTokenId InvalidSignatureException InvalidAccountIdException "
        "ResourceNotFoundException ValidationException ValidationError InvalidArgument MalformedDetail "
        "RedactionFailure NoCredentialsError PartialCredentialsError ParamValidationError"
    ).split()
)


class UsageNotTaken(Exception):
    """``record()`` did not accept a usage: the buffer is full or the emitter is closed. The usage will not be sent."""


class UsageNotSent(Exception):
    """Usages could not be sent. ``usages`` has them, with id and time; ``error`` is the last reason."""

    def __init__(self, usages: list[dict[str, Any]], error: Exception) -> None:
        super().__init__(f"{len(usages)} usages could not be sent ({get_error_code(error)}); .usages has them")
        self.usages = usages
        self.error = error


def get_error_code(error: Exception) -> str:
    """Return AWS's code of an error, or else its class. The message is not used, because it may contain usage."""
    response = getattr(error, "response", None)  # None if the connection failed
    details = response.get("Error", {}) if isinstance(response, dict) else {}
    return str(details.get("Code") or type(error).__name__)


def build_error(result: Mapping[str, Any]) -> Exception:
    """Build the error that botocore raises for a call, from the result of a failed entry."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as boto3 below

    code, message = result.get("ErrorCode", "Unknown"), result.get("ErrorMessage", "")
    return ClientError({"Error": {"Code": code, "Message": message}}, "PutEvents")
