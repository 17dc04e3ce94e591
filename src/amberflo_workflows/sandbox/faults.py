"""Misbehaviour on demand, in front of the sandbox's own answers."""

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
    """What goes wrong, where and how often.

    ``path`` is a pattern with ``*``. ``times`` is for how many matching calls, after letting ``skip`` pass;
    ``share`` the part of them that is struck, by chance from ``seed``. ``seconds`` is how long a delay, hang or
    trickle lasts.
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
    chance: random.Random
    met: int = 0
    struck: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether this call is one of those it is meant for."""
        fault = self.fault
        if fault.method not in {None, method} or not fnmatch.fnmatchcase(path, fault.path):
            return False
        self.met += 1
        if self.met <= fault.skip or (fault.times is not None and self.struck >= fault.times):
            return False
        if fault.share < 1 and self.chance.random() >= fault.share:
            return False
        self.struck += 1
        return True


@dataclass
class Faults:
    """The faults in force; the first that strikes a call is the one it gets."""

    _armed: list[_ActiveFault] = field(default_factory=list)

    def arm(self, faults: list[Fault]) -> None:
        """Replace all faults."""
        self._armed = [_ActiveFault(fault, random.Random(fault.seed)) for fault in faults]  # noqa: S311 - has to be repeatable

    def described(self) -> list[dict[str, Any]]:
        """The faults and how often each has struck."""
        return [{**msgspec.to_builtins(armed.fault), "struck": armed.struck} for armed in self._armed]

    def for_call(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this call."""
        return next((armed.fault for armed in self._armed if armed.strikes(method, path)), None)


class FaultMiddleware:
    """Outermost, so that a dropped connection is one: it reaches through to the server's transport."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call, with its fault."""
        is_call = scope["type"] == "http" and not scope["path"].startswith("/_sandbox/")
        fault = self._faults.for_call(scope["method"], scope["path"]) if is_call else None
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await self._misbehave(fault, scope, receive, send)

    async def _misbehave(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, send)
        elif fault.kind == "wrong_key":
            kept = [(name, value) for name, value in scope["headers"] if name != b"x-api-key"]
            await self._app({**scope, "headers": kept}, receive, send)
        elif fault.kind in {"drop", "hang"}:
            await _wait_for_disconnect(receive, fault.seconds if fault.kind == "hang" else 0)
            _drop_connection(receive)
        elif fault.kind == "trickle":
            await _trickle(send, fault.seconds)
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
    """Ten megabytes of nothing in ten kilobytes, as often as makes two gigabytes: gzip may have many parts."""
    return gzip.compress(bytes(10_000_000), mtime=0) * 200


async def _wait_for_disconnect(receive: Receive, seconds: float) -> None:
    """Wait, but no longer than the caller does."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(gone(), seconds)
    except TimeoutError:
        return


async def _trickle(send: Send, seconds: float) -> None:
    """An answer that never quite ends: each byte comes in time, all of it does not."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    for _ in range(int(seconds / _TRICKLE_SECONDS)):
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await asyncio.sleep(_TRICKLE_SECONDS)
    await send({"type": "http.response.body", "body": b"{}"})


async def _send_half(receive: Receive, send: Send) -> None:
    """Half an answer: it says how long it will be, and the connection is closed before it is."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"20")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"data": ', "more_body": True})
    _transport(receive).close()


def _drop_connection(receive: Receive) -> None:
    """Close the connection without an answer."""
    _transport(receive).abort()


def _transport(receive: Receive) -> asyncio.Transport:
    """ASGI has no word for the connection; uvicorn's cycle, of which ``receive`` is a bound method, holds it."""
    transport: asyncio.Transport = receive.__self__.transport  # type: ignore[attr-defined] # see above
    return transport


async def _discard(_message: Message) -> None:
    return
