"""The error that the command line and the console report to operators."""


class OperatorError(RuntimeError):
    """An operation failed for a reason that a person can fix.

    The ``message`` is one line and names the next step. ``see`` is the command that shows more, without the program's
    name, such as ``executions list``; the console has a page for it. As text, an error has both.
    """

    def __init__(self, message: str, *, see: str = "", program: str = "metering") -> None:
        super().__init__(f"{message} See: {program} {see}" if see else message)
        self.message, self.see = message, see
