"""Parts of a page that follow what happens, by server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

POLL_SECONDS: Final = 1.0


def stream(request: Request, look: Callable[[], tuple[str, bool]], seconds: float = POLL_SECONDS) -> StreamingResponse:
    """Look every so many seconds and send what is seen, as HTML, whenever it has changed, until it is said to be last.

    A browser that loses the connection asks again by itself; what it is then sent is whole.
    """
    return StreamingResponse(_events(request, look, seconds), media_type="text/event-stream")


async def _events(request: Request, look: Callable[[], tuple[str, bool]], seconds: float) -> AsyncIterator[str]:
    known = ""
    # The page that asks was drawn a moment ago.
    await asyncio.sleep(min(seconds, POLL_SECONDS))
    while not await request.is_disconnected():
        html, last = await run_in_threadpool(look)
        if html != known:
            known = html
            yield _event("message", html)
        if last:
            yield _event("end", "")
            return
        await asyncio.sleep(seconds)


def _event(name: str, data: str) -> str:
    lines = "".join(f"data: {line}\n" for line in data.splitlines()) or "data:\n"
    return f"event: {name}\n{lines}\n"
