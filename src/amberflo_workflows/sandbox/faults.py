"""Faults that a test can switch on, in front of the sandbox's own responses."""

import asyncio
import fnmatch
import gzip
import random
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Kind = Literal[
    "status",
    "delay",
    "drop",
    "hang",
    "trickle",
    "accept_then_drop",
    "accept_then_status",
    "wrong_key",
    "redirect",
    "garbage",
    "cut_off",
    "bomb",
]
_TRICKLE_SECONDS = 0.5


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """A kind of fault and the calls that it affects.

    ``path`` is a pattern with ``*``. The first ``skip`` matching calls pass; then up to ``times`` calls are affected,
    or all. With ``share`` below 1, each is affected with that probability, from a generator with ``seed``. ``seconds``
    is the duration of a delay, hang or trickle.
    """

    kind: Kind
    path: str = "*"
    method: str | None = None
    status: Annotated[int, Meta(ge=200, le=599)] = 503
    headers: dict[str, str] = {}
    body: str | None = None
    seconds: Annotated[float, Meta(ge=0)] = 30.0
    times: Annotated[int, Meta(ge=1)] | None = None
    skip: Annotated[int, Meta(ge=0)] = 0
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    seed: int = 0


@dataclass
class _ActiveFault:
    fault: Fault
    rng: random.Random
    matched: int = 0
    struck: int = 0

    def applies(self, method: str, path: str) -> bool:
        """Count a call; whether the fault affects it."""
        fault = self.fault
        if fault.method not in {None, method} or not fnmatch.fnmatchcase(path, fault.path):
            return False
        self.matched += 1
        if self.matched <= fault.skip or (fault.times is not None and self.struck >= fault.times):
            return False
        if fault.share < 1 and self.rng.random() >= fault.share:
            return False
        self.struck += 1
        return True


@dataclass
class Faults:
    """The active faults. A call gets the first fault that applies to it."""

    _active: list[_ActiveFault] = field(default_factory=list)

    def replace(self, faults: list[Fault]) -> None:
        """Replace all faults."""
        self._active = [_ActiveFault(fault, random.Random(fault.seed)) for fault in faults]  # noqa: S311 - must be repeatable

    def describe(self) -> list[dict[str, Any]]:
        """Return the faults; ``struck`` counts the calls that each one affected."""
        return [{**msgspec.to_builtins(active.fault), "struck": active.struck} for active in self._active]

    def find_fault(self, method: str, path: str) -> Fault | None:
        """Return the fault for a call, or ``None``."""
        return next((active.fault for active in self._active if active.applies(method, path)), None)


class FaultMiddleware:
    """The outermost layer of the application, because dropping a connection needs the server's transport."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call, with a fault if one applies."""
        is_call = scope["type"] == "http" and not scope["path"].startswith("/_sandbox/")
        fault = self._faults.find_fault(scope["method"], scope["path"]) if is_call else None
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await self._apply(fault, scope, receive, send)

    async def _apply(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, send)
        elif fault.kind == "wrong_key":
            headers = [(name, value) for name, value in scope["headers"] if name != b"x-api-key"]
            await self._app({**scope, "headers": headers}, receive, send)
        elif fault.kind in {"drop", "hang"}:
            await _wait_for_disconnect(receive, fault.seconds if fault.kind == "hang" else 0)
            _drop_connection(receive)
        elif fault.kind == "trickle":
            await _send_slowly(send, fault.seconds)
        elif fault.kind == "cut_off":
            await _send_half(receive, send)
        elif fault.kind in {"accept_then_drop", "accept_then_status"}:
            await self._app(scope, receive, _discard)
            if fault.kind == "accept_then_drop":
                _drop_connection(receive)
            else:
                await _build_response(fault)(scope, receive, send)
        else:
            await _build_response(fault)(scope, receive, send)


def _build_response(fault: Fault) -> Response:
    if fault.kind == "garbage":
        return Response(fault.body or "<html>not what you asked for", 200, fault.headers)
    if fault.kind == "bomb":
        return Response(_build_bomb(), 200, {"Content-Encoding": "gzip"}, media_type="application/json")
    status = 307 if fault.kind == "redirect" else fault.status
    text = fault.body if fault.body is not None else '{"message": "a fault of the sandbox"}'
    return Response(text, status, fault.headers, media_type="application/json")


@cache
def _build_bomb() -> bytes:
    """Build 2 MB of gzip that inflate to 2 GB: 200 members of 10 MB of zeros, since gzip may have several members."""
    return gzip.compress(bytes(10_000_000), mtime=0) * 200


async def _wait_for_disconnect(receive: Receive, seconds: float) -> None:
    """Wait for some seconds, or until the caller disconnects."""

    async def disconnected() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(disconnected(), seconds)
    except TimeoutError:
        return


async def _send_slowly(send: Send, seconds: float) -> None:
    """Send a response one byte at a time: each byte is in time for a read timeout, the complete response is not."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    for _ in range(int(seconds / _TRICKLE_SECONDS)):
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await asyncio.sleep(_TRICKLE_SECONDS)
    await send({"type": "http.response.body", "body": b"{}"})


async def _send_half(receive: Receive, send: Send) -> None:
    """Send fewer bytes than ``Content-Length`` says, then close the connection."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"20")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"data": ', "more_body": True})
    _transport(receive).close()


def _drop_connection(receive: Receive) -> None:
    """Close the connection without a response."""
    _transport(receive).abort()


def _transport(receive: Receive) -> asyncio.Transport:
    """Return the connection. ASGI does not expose it; ``receive`` is a bound method of uvicorn's object that has it."""
    transport: asyncio.Transport = receive.__self__.transport  # type: ignore[attr-defined] # see above
    return transport


async def _discard(_message: Message) -> None:
    return
