"""Protection against other web pages in the same browser: cross-site requests and DNS rebinding.

The emulator accepts any caller, so these checks are what protects the local system from a web page.
"""

import hmac
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER: Final = "X-CSRF-Token"  # noqa: S105 - a header's name
_SAFE: Final = frozenset({"GET", "HEAD"})
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SameOriginMiddleware:
    """Rejects requests with another Host header (DNS rebinding), and requests that change something unless they come
    from one of the console's own pages and have the token that only these pages can read.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], token: str) -> None:
        self._app, self._hosts, self._token = app, hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or reject it with one line of text."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        rejection = self._check(scope["method"], Headers(scope=scope))
        if rejection:
            status, text = rejection
            await PlainTextResponse(f"{text}\n", status, dict(HEADERS))(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)

    def _check(self, method: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if host not in self._hosts:
            return 421, f"Invalid Host header. Open the console at {' or '.join(sorted(self._hosts))}."
        if method in _SAFE:
            return None
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return 403, "This request came from another web page."
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return 403, "This request came from another web page."
        if not hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode(), self._token.encode()):
            return 403, "The console was restarted. Reload this page."
        return None
