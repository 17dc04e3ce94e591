"""Live parts of a page, updated with server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from amberflo_workflows.console.problems import describe_plainly
from amberflo_workflows.operate.errors import OperatorError

POLL_SECONDS: Final = 1.0
# Longer than any page takes, and shorter than a reader waits without a word.
TIMEOUT_SECONDS: Final = 30.0
# The HTML of the part, or of several parts by the names of their events.
Html: TypeAlias = str | Mapping[str, str]


def stream(
    request: Request,
    render: Callable[[], tuple[Html, bool]],
    interval_seconds: float = POLL_SECONDS,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> StreamingResponse:
    """Call ``render`` at an interval and send its HTML whenever it has changed.

    ``render`` returns the HTML and whether it is final; the stream ends after final HTML. A browser that loses the
    connection reconnects and receives the complete HTML again. If the HTML cannot be rendered, or not in time, an
    event ``problem`` says why, an empty one that it is over; the page shows it, see console.js.
    """
    return StreamingResponse(
        _events(request, render, interval_seconds, timeout_seconds), media_type="text/event-stream"
    )


async def _events(
    request: Request, render: Callable[[], tuple[Html, bool]], interval_seconds: float, timeout_seconds: float
) -> AsyncIterator[str]:
    sent: dict[str, str] = {"problem": ""}
    # The page that opened the stream has just been rendered.
    await asyncio.sleep(min(interval_seconds, POLL_SECONDS))
    while not await request.is_disconnected():
        parts, is_final = await _render(render, timeout_seconds)
        for name, html in parts.items():
            if sent.get(name) != html:
                sent[name] = html
                yield _format_event(name, html)
        if is_final:
            yield _format_event("end", "")
            return
        await asyncio.sleep(interval_seconds)


async def _render(render: Callable[[], tuple[Html, bool]], timeout_seconds: float) -> tuple[Mapping[str, str], bool]:
    try:
        html, is_final = await asyncio.wait_for(run_in_threadpool(render), timeout_seconds)
    except TimeoutError:
        return {"problem": f"There was no response within {timeout_seconds:.0f} s."}, False
    except (OperatorError, BotoCoreError, ClientError) as error:
        return {"problem": describe_plainly(error)}, False
    parts = {"message": html} if isinstance(html, str) else html
    return {"problem": "", **parts}, is_final


def _format_event(name: str, data: str) -> str:
    lines = "".join(f"data: {line}\n" for line in data.splitlines()) or "data:\n"
    return f"event: {name}\n{lines}\n"
