"""Live parts of a page, updated with server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

POLL_SECONDS: Final = 1.0


def stream(
    request: Request, render: Callable[[], tuple[str, bool]], interval_seconds: float = POLL_SECONDS
) -> StreamingResponse:
    """Call ``render`` at an interval and send its HTML whenever it has changed.

    ``render`` returns the HTML and whether it is final; the stream ends after final HTML. A browser that loses the
    connection reconnects and receives the complete HTML again.
    """
    return StreamingResponse(_events(request, render, interval_seconds), media_type="text/event-stream")


async def _events(
    request: Request, render: Callable[[], tuple[str, bool]], interval_seconds: float
) -> AsyncIterator[str]:
    sent = ""
    # The page that opened the stream has just been rendered.
    await asyncio.sleep(min(interval_seconds, POLL_SECONDS))
    while not await request.is_disconnected():
        html, is_final = await run_in_threadpool(render)
        if html != sent:
            sent = html
            yield _format_event("message", html)
        if is_final:
            yield _format_event("end", "")
            return
        await asyncio.sleep(interval_seconds)


def _format_event(name: str, data: str) -> str:
    lines = "".join(f"data: {line}\n" for line in data.splitlines()) or "data:\n"
    return f"event: {name}\n{lines}\n"
