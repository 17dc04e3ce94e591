"""The emitter: a bounded buffer, and a thread that empties it onto the bus."""

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
    LARGEST_ENTRY_BYTES,
    BufferedUsage,
    Entry,
    check_text,
    detail,
    first_call,
    usage_json,
)
from amberflo_workflows.emit.errors import PERMANENT, UsageNotSent, UsageNotTaken, code_of, refusal

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)
_Failures: TypeAlias = list[tuple[Entry, Exception]]


class UsageEmitter:
    """Sends usages to an EventBridge bus, in as few events as it takes. Threads may share one.

    ``bus_name``: name or ARN of the bus. ``source``: the events' source, such as ``my.app``.
    ``client``: a boto3 ``events`` client; its own retries are within a try. Default: one is made for the first usage.
    ``linger``: seconds that a usage may wait for others to share its event.
    ``buffer``: usages held at a time: waiting, being sent, or given up and kept.
    ``max_wait``: seconds that ``record()`` waits while the buffer is full.
    ``max_tries``: calls of ``PutEvents`` for a usage before it is given up.
    ``on_failure``: is called with usages that were given up and the error, in the emitter's thread. Without it, or if
    it raises, they are kept for ``flush()`` or ``close()`` to raise, and their number is logged.

    Raises ``ValueError`` for arguments that make no sense.
    """

    def __init__(
        self,
        bus_name: str,
        source: str,
        *,
        client: "EventBridgeClient | None" = None,
        linger: float = 1.0,
        buffer: int = 10_000,
        max_wait: float = 1.0,
        max_tries: int = 8,
        on_failure: Callable[[list[dict[str, Any]], Exception], object] | None = None,
    ) -> None:
        check_text("bus_name", bus_name)
        check_text("source", source)
        if linger < 0 or buffer < 1 or max_wait < 0 or max_tries < 1:
            raise ValueError("linger and max_wait must be at least 0, buffer and max_tries at least 1")
        self._bus_name, self._source, self._given_client, self._on_failure = bus_name, source, client, on_failure
        self._linger, self._buffer, self._max_wait, self._max_tries = linger, buffer, max_wait, max_tries
        # Bytes of an entry without usages, as AWS counts them. It has no Time: each usage has its own.
        self._overhead = len((source + DETAIL_TYPE + detail([])).encode())
        self._closed = self._forked = False
        self._begin()
        _emitters.add(self)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._waiting: deque[BufferedUsage] = deque()
        # How many were recorded; were sent or given up; were recorded before the latest flush. All in one order.
        self._taken = self._settled = self._flushed = 0
        self._kept: list[tuple[dict[str, Any], Exception]] = []
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
        """Take a usage, to be sent soon, and return its unique id.

        ``time``: with a time zone, counts to the millisecond; default: now. ``unique_id`` default: a new UUID.

        Raises ``ValueError`` for what cannot be a usage; :class:`UsageNotTaken` when the buffer stays full for
        ``max_wait`` seconds or the emitter is closed; botocore's errors if the first usage finds no AWS settings.
        """
        time = datetime.now(UTC) if time is None else time
        unique_id = str(uuid4()) if unique_id is None else unique_id
        text = usage_json(tenant_id, meter_api_name, value, time, dimensions or {}, unique_id)
        usage = BufferedUsage(text, len(text.encode()) + 1, monotonic() + self._linger)
        if self._overhead + usage.size > LARGEST_ENTRY_BYTES:
            raise ValueError(f"the usage has {usage.size:,} bytes, which is too large for an event")
        with self._changed:
            self._wait_for_room()
            if self._thread is None:
                self._thread = self._start()
            self._waiting.append(usage)
            self._taken += 1
            if len(self._waiting) == 1 or self._is_due():  # else the thread knows all it has to
                self._changed.notify_all()
        return unique_id

    def flush(self, timeout: float | None = None) -> None:
        """Send now, and wait until all that was recorded before this call is sent or given up.

        Raises ``TimeoutError`` after ``timeout`` seconds (default: none), while usages are still being tried;
        :class:`UsageNotSent` with what is kept, which is the caller's from then on.
        """
        self._refuse_own_thread()
        with self._changed:
            self._flushed = goal = self._taken
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._settled >= goal, timeout):
                raise TimeoutError(f"after {timeout} seconds {goal - self._settled} usages are not sent yet")
        self._raise_kept()

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Send what is waiting and end. After ``timeout`` seconds no call is begun: what is left then is given up.

        Raises :class:`UsageNotSent` with what is kept, which is the caller's from then on. May be called again.
        """
        self._stop(timeout)
        self._raise_kept()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        """Close. An exception on its way is not replaced: what is kept is noted on it, and raised by ``flush()``."""
        self._stop(CLOSE_SECONDS)
        if error is None:
            self._raise_kept()
        elif self._kept:
            error.add_note(f"{len(self._kept)} usages could not be sent; flush() of their emitter raises them")

    def _wait_for_room(self) -> None:
        if not self._changed.wait_for(
            lambda: self._closed or self._taken - self._settled + len(self._kept) < self._buffer, self._max_wait
        ):
            raise UsageNotTaken(f"the buffer is full; {len(self._kept)} in it could not be sent: flush() raises those")
        if self._closed:
            raise UsageNotTaken("the emitter is closed")

    def _raise_kept(self) -> None:
        with self._changed:
            kept, self._kept = self._kept, []
            self._changed.notify_all()
        if kept:
            raise UsageNotSent([usage for usage, _ in kept], kept[-1][1]) from kept[-1][1]

    def _start(self) -> threading.Thread:
        # Not in the thread: boto3 cannot be imported any more once Python waits for its threads to end.
        client = self._given_client or _new_client()
        if self._forked:
            client.close()  # on a connection that two processes share, each may read answers to the other
        thread = threading.Thread(target=self._run, args=(client,), name="usage-emitter", daemon=True)
        thread.start()
        atexit.register(self.close)
        return thread

    def _stop(self, timeout: float) -> None:
        self._refuse_own_thread()
        with self._changed:
            self._closed = True
            self._deadline = min(self._deadline, monotonic() + timeout)
            self._changed.notify_all()
        if self._thread:
            self._thread.join()
        atexit.unregister(self.close)

    def _refuse_own_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError("on_failure must not flush or close its emitter, which waits for on_failure to end")

    # The thread's part.

    def _run(self, client: "EventBridgeClient") -> None:
        while call := self._next_call():
            kept = [pair for entry, error in self._send(client, call) for pair in self._hand_back(entry, error)]
            with self._changed:
                self._settled += sum(map(len, call))
                self._kept += kept
                self._changed.notify_all()
        if client is not self._given_client:
            client.close()

    def _next_call(self) -> list[Entry]:
        """The entries to send, when it is time to; none when the emitter is closed and all is sent."""
        with self._changed:
            while not (self._closed or self._is_due()):
                self._changed.wait(self._waiting[0].due - monotonic() if self._waiting else None)
            call = first_call(self._waiting, self._overhead)
            for _ in range(sum(map(len, call))):
                self._waiting.popleft()
            return call

    def _is_due(self) -> bool:
        """Whether the oldest has waited enough, is flushed, or waits in a buffer half full, before callers have to."""
        if not self._waiting:
            return False
        crowded = 2 * len(self._waiting) >= self._buffer
        return crowded or self._settled < self._flushed or self._waiting[0].due <= monotonic()

    def _send(self, client: "EventBridgeClient", call: list[Entry]) -> _Failures:
        """Put entries on the bus, again those that fail; what is given up, with the reason."""
        given_up: _Failures = []
        failed: _Failures = [(entry, TimeoutError("the emitter was closed before it was sent")) for entry in call]
        for number in range(self._max_tries):
            if number:
                longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (number - 1))
                sleep(random.uniform(0, longest))  # noqa: S311 - keeps callers apart, hides nothing
            if monotonic() >= self._deadline:
                break
            failed = self._put(client, [entry for entry, _ in failed])
            given_up += [failure for failure in failed if code_of(failure[1]) in PERMANENT]
            failed = [failure for failure in failed if code_of(failure[1]) not in PERMANENT]
            if not failed:
                break
        return given_up + failed

    def _put(self, client: "EventBridgeClient", call: list[Entry]) -> _Failures:
        """One call of ``PutEvents``; the entries that are not known to be on the bus, with the reason."""
        bus, source = self._bus_name, self._source
        try:
            answer = client.put_events(
                Entries=[
                    {"EventBusName": bus, "Source": source, "DetailType": DETAIL_TYPE, "Detail": detail(entry)}
                    for entry in call
                ]
            )
            results = list(zip(call, answer["Entries"], strict=True))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the usages must not go with it
            return [(entry, error) for entry in call]
        return [(entry, refusal(result)) for entry, result in results if not result.get("EventId")]

    def _hand_back(self, entry: Entry, error: Exception) -> list[tuple[dict[str, Any], Exception]]:
        """Hand usages to ``on_failure``; if it is not there or does not take them, those to keep."""
        usages = [json.loads(usage.text) for usage in entry]
        try:
            if self._on_failure:
                self._on_failure(usages, error)
                return []
        except BaseException:  # noqa: BLE001 - not even sys.exit() in there may end this thread: others wait for it
            _log.exception("on_failure raised")
        _log.error("%d usages could not be sent (%s)", len(usages), code_of(error))
        return [(usage, error) for usage in usages]


def _new_client() -> "EventBridgeClient":
    import boto3  # noqa: PLC0415 - takes a fifth of a second, which who never records need not wait
    from botocore.config import Config  # noqa: PLC0415 - as above

    # One attempt a call, since the emitter tries again itself; a session of its own, since threads must not share one.
    config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
    return boto3.Session().client("events", config=config)


_emitters: Final[weakref.WeakSet[UsageEmitter]] = weakref.WeakSet()


def _begin_anew() -> None:
    """In a forked child: what was recorded is its parent's to send; the thread is gone, and locks may be held."""
    for emitter in list(_emitters):
        emitter._forked = True  # noqa: SLF001 - of this module
        emitter._begin()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_begin_anew)
