"""The emitter: a bounded buffer, and a thread that sends its usages to the bus."""

import atexit
import json
import logging
import math
import os
import random
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from time import monotonic, sleep
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias
from uuid import uuid4

from amberflo_workflows.emit.entries import (
    DETAIL_TYPE,
    MAX_ENTRY_BYTES,
    BufferedUsage,
    Entry,
    build_call,
    build_detail,
    build_usage_json,
    validate_text,
)
from amberflo_workflows.emit.errors import PERMANENT_ERRORS, UsageNotSent, UsageNotTaken, build_error, get_error_code

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

FIRST_PAUSE_SECONDS: Final = 0.2
MAX_PAUSE_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)
_Failures: TypeAlias = list[tuple[Entry, Exception]]


class UsageEmitter:
    """Sends usages to an EventBridge bus, in as few events as possible. Thread-safe.

    ``bus_name``: name or ARN of the bus. ``source``: the events' source, such as ``my.app``.
    ``client``: a boto3 ``events`` client; its retries are part of one attempt. Default: created for the first usage.
    ``linger``: seconds that a usage waits for others, to be sent in the same event. A killed process loses these.
    ``buffer``: maximum number of usages in memory: queued, being sent, or failed and not yet raised.
    ``max_wait``: seconds that ``record()`` waits while the buffer is full.
    ``max_tries``: attempts to send a usage with ``PutEvents`` before it fails.
    ``on_failure``: called with failed usages and the error, in the emitter's thread. Without it, or if it raises,
    ``flush()`` or ``close()`` raises the failed usages, and their number is logged.

    Raises ``ValueError`` for invalid arguments.
    """

    def __init__(
        self,
        bus_name: str,
        source: str,
        *,
        client: "EventBridgeClient | None" = None,
        linger: float = 10.0,
        buffer: int = 10_000,
        max_wait: float = 1.0,
        max_tries: int = 8,
        on_failure: Callable[[list[dict[str, Any]], Exception], object] | None = None,
    ) -> None:
        validate_text("bus_name", bus_name)
        validate_text("source", source)
        if linger < 0 or buffer < 1 or max_wait < 0 or max_tries < 1:
            raise ValueError("linger and max_wait must be at least 0, buffer and max_tries at least 1")
        self._bus_name, self._source, self._client, self._on_failure = bus_name, source, client, on_failure
        self._linger, self._buffer, self._max_wait, self._max_tries = linger, buffer, max_wait, max_tries
        # Bytes of an entry without usages, as AWS counts them. The entry has no Time, because each usage has its own.
        self._overhead = len((source + DETAIL_TYPE + build_detail([])).encode())
        self._closed = self._forked = False
        self._reset()
        _emitters.add(self)

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._queue: deque[BufferedUsage] = deque()
        # Numbers of usages: recorded, finished (sent or failed), recorded before the last flush. They keep their order.
        self._recorded = self._finished = self._flushed = 0
        self._failed: list[tuple[dict[str, Any], Exception]] = []
        self._deadline = math.inf

    def record(
        self,
        tenant_id: str,
        meter_api_name: str,
        value: float,
        *,
        time: datetime | None = None,
        dimensions: Mapping[str, str | float | bool | None] | None = None,
        unique_id: str | None = None,
    ) -> str:
        """Queue a usage to be sent, and return its unique id.

        ``time``: must have a time zone, and is truncated to milliseconds; default: now. ``unique_id``: default: a new
        UUID.

        Raises ``ValueError`` for an invalid usage; :class:`UsageNotTaken` if the buffer stays full for ``max_wait``
        seconds or the emitter is closed; botocore's errors if AWS is not configured when the first usage is recorded.
        """
        time = datetime.now(UTC) if time is None else time
        unique_id = str(uuid4()) if unique_id is None else unique_id
        text = build_usage_json(tenant_id, meter_api_name, value, time, dimensions or {}, unique_id)
        usage = BufferedUsage(text, len(text.encode()) + 1, monotonic() + self._linger)
        if self._overhead + usage.size > MAX_ENTRY_BYTES:
            raise ValueError(f"the usage has {usage.size:,} bytes, which is too large for an event")
        with self._changed:
            self._wait_for_room()
            if self._thread is None:
                self._thread = self._start()
            self._queue.append(usage)
            self._recorded += 1
            if len(self._queue) == 1 or self._is_due():  # otherwise the thread need not wake up
                self._changed.notify_all()
        return unique_id

    def flush(self, timeout: float | None = None) -> None:
        """Send now, and wait until all usages recorded before this call are sent or have failed.

        Raises ``TimeoutError`` after ``timeout`` seconds (default: no limit), while usages are still being sent;
        :class:`UsageNotSent` with the failed usages, which the emitter then no longer has.
        """
        self._check_thread()
        with self._changed:
            self._flushed = goal = self._recorded
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._finished >= goal, timeout):
                raise TimeoutError(f"{goal - self._finished} usages are not sent yet after {timeout} seconds")
        self._raise_failed()

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Send the queued usages and stop. After ``timeout`` seconds no call is started, and the remaining usages fail.

        Raises :class:`UsageNotSent` with the failed usages, which the emitter then no longer has. May be called again.
        """
        self._stop(timeout)
        self._raise_failed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        """Close. An exception of the block is kept and gets a note; ``flush()`` then raises the failed usages."""
        self._stop(CLOSE_SECONDS)
        if error is None:
            self._raise_failed()
        elif self._failed:
            error.add_note(f"{len(self._failed)} usages could not be sent; flush() of their emitter raises them")

    def _wait_for_room(self) -> None:
        if not self._changed.wait_for(
            lambda: self._closed or self._recorded - self._finished + len(self._failed) < self._buffer, self._max_wait
        ):
            raise UsageNotTaken(
                f"the buffer is full; {len(self._failed)} usages in it could not be sent, flush() raises them"
            )
        if self._closed:
            raise UsageNotTaken("the emitter is closed")

    def _raise_failed(self) -> None:
        with self._changed:
            failed, self._failed = self._failed, []
            self._changed.notify_all()
        if failed:
            raise UsageNotSent([usage for usage, _ in failed], failed[-1][1]) from failed[-1][1]

    def _start(self) -> threading.Thread:
        # Not in the thread, because boto3 can no longer be imported once Python waits for its threads to end.
        client = self._client or _build_client()
        if self._forked:
            client.close()  # two processes that share a connection may read each other's responses
        thread = threading.Thread(target=self._run, args=(client,), name="usage-emitter", daemon=True)
        thread.start()
        atexit.register(self.close)
        return thread

    def _stop(self, timeout: float) -> None:
        self._check_thread()
        with self._changed:
            self._closed = True
            self._deadline = min(self._deadline, monotonic() + timeout)
            self._changed.notify_all()
        if self._thread:
            self._thread.join()
        atexit.unregister(self.close)

    def _check_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError("on_failure must not flush or close its emitter, which waits for on_failure to return")

    # The methods below run in the thread.

    def _run(self, client: "EventBridgeClient") -> None:
        while call := self._next_call():
            failed = [pair for entry, error in self._send(client, call) for pair in self._report_failure(entry, error)]
            with self._changed:
                self._finished += sum(map(len, call))
                self._failed += failed
                self._changed.notify_all()
        if client is not self._client:
            client.close()

    def _next_call(self) -> list[Entry]:
        """Wait until entries are due and return them; returns none if the emitter is closed and the queue is empty."""
        with self._changed:
            while not (self._closed or self._is_due()):
                self._changed.wait(self._queue[0].due - monotonic() if self._queue else None)
            call = build_call(self._queue, self._overhead)
            for _ in range(sum(map(len, call))):
                self._queue.popleft()
            return call

    def _is_due(self) -> bool:
        """Whether the oldest usage has waited long enough or is flushed, or the buffer is half full."""
        if not self._queue:
            return False
        half_full = 2 * len(self._queue) >= self._buffer
        return half_full or self._finished < self._flushed or self._queue[0].due <= monotonic()

    def _send(self, client: "EventBridgeClient", call: list[Entry]) -> _Failures:
        """Send entries, with retries; return those that failed, with the error."""
        permanent: _Failures = []
        failed: _Failures = [
            (entry, TimeoutError("the emitter was closed before the usage was sent")) for entry in call
        ]
        for attempt in range(self._max_tries):
            if attempt:
                max_pause = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
                sleep(random.uniform(0, max_pause))  # noqa: S311 - jitter, not a secret
            if monotonic() >= self._deadline:
                break
            failed = self._put(client, [entry for entry, _ in failed])
            permanent += [failure for failure in failed if get_error_code(failure[1]) in PERMANENT_ERRORS]
            failed = [failure for failure in failed if get_error_code(failure[1]) not in PERMANENT_ERRORS]
            if not failed:
                break
        return permanent + failed

    def _put(self, client: "EventBridgeClient", call: list[Entry]) -> _Failures:
        """Call ``PutEvents`` once; return the entries that may not be on the bus, with the error."""
        bus, source = self._bus_name, self._source
        try:
            response = client.put_events(
                Entries=[
                    {"EventBusName": bus, "Source": source, "DetailType": DETAIL_TYPE, "Detail": build_detail(entry)}
                    for entry in call
                ]
            )
            results = list(zip(call, response["Entries"], strict=True))
        except Exception as error:  # noqa: BLE001 - no error may lose the usages
            return [(entry, error) for entry in call]
        return [(entry, build_error(result)) for entry, result in results if not result.get("EventId")]

    def _report_failure(self, entry: Entry, error: Exception) -> list[tuple[dict[str, Any], Exception]]:
        """Pass usages to ``on_failure``; return them with the error if there is no ``on_failure`` or it raises."""
        usages = [json.loads(usage.text) for usage in entry]
        try:
            if self._on_failure:
                self._on_failure(usages, error)
                return []
        except BaseException:  # noqa: BLE001 - not even sys.exit() may end this thread, because callers wait for it
            _log.exception("on_failure raised")
        _log.error("%d usages could not be sent (%s)", len(usages), get_error_code(error))
        return [(usage, error) for usage in usages]


def _build_client() -> "EventBridgeClient":
    import boto3  # noqa: PLC0415 - takes 0.2 s, only needed if usage is recorded
    from botocore.config import Config  # noqa: PLC0415 - slow to import, and not always needed

    # One attempt per call, because the emitter retries itself; a new session, because threads must not share one.
    config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
    return boto3.Session().client("events", config=config)


_emitters: Final[weakref.WeakSet[UsageEmitter]] = weakref.WeakSet()


def _reset_after_fork() -> None:
    """Reset the emitters of a forked child: its parent sends the queue, the thread is gone, and locks may be held."""
    for emitter in list(_emitters):
        emitter._forked = True  # noqa: SLF001 - same module
        emitter._reset()  # noqa: SLF001 - same module


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_reset_after_fork)
