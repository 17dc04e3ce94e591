"""The error that Amberflo's services return; its gateway's errors have ``message`` instead of ``errorMessage``."""

from starlette.responses import JSONResponse


class RequestRejected(Exception):
    """A 4xx response with ``{"errorMessage": …}``, in the words of the live service where they are known."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status

    def build_response(self) -> JSONResponse:
        """Build the HTTP response."""
        return JSONResponse({"errorMessage": str(self)}, self.status)
