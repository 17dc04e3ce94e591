"""The error that the command line and the console report to operators."""


class OperatorError(RuntimeError):
    """An operation failed for a reason that a person can fix. The message is one line and names the next step."""
