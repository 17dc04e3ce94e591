"""The error that every operator's command and page reports."""


class OperatorError(RuntimeError):
    """An operation failed for a reason that a person can fix; the message is one line and names the next step."""
