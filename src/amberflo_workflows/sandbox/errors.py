"""Refusals in Amberflo's two shapes: ``errorMessage`` from its services, ``message`` from its gateway."""

from starlette.responses import JSONResponse


class RequestRejected(Exception):
    """400 with ``{"errorMessage": …}``; the wording is that of the live service where it is known."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status

    def response(self) -> JSONResponse:
        """As an HTTP answer."""
        return JSONResponse({"errorMessage": str(self)}, self.status)
