"""The meters of the deployment, for forms and links, read at most once a minute."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

Meter: TypeAlias = dict[str, Any]

MAX_AGE_SECONDS: Final = 60.0


class MeterCache:
    """The meters that ``fetch`` returns. Each fetch is an execution, and many pages need the list."""

    def __init__(self, fetch: Callable[[], Sequence[Meter]]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._meters: Sequence[Meter] = ()
        self._fetched_at = -MAX_AGE_SECONDS

    def list(self) -> Sequence[Meter]:
        """Return all meters, sorted by name. Raises what ``fetch`` raises."""
        with self._lock:
            if time.monotonic() - self._fetched_at >= MAX_AGE_SECONDS:
                self._meters = self._fetch()
                self._fetched_at = time.monotonic()
            return self._meters

    def find(self, name_or_id: str) -> Meter | None:
        """Return the meter with a name, or else with an id; one that is not in the list may be new.

        Raises what ``fetch`` raises.
        """
        meter = self._find(name_or_id)
        if meter is None:
            self.forget()
            meter = self._find(name_or_id)
        return meter

    def _find(self, name_or_id: str) -> Meter | None:
        for member in ("meterApiName", "id"):
            for meter in self.list():
                if meter.get(member) == name_or_id:
                    return meter
        return None

    def forget(self) -> None:
        """Read the list again when it is needed next: a meter was changed."""
        with self._lock:
            self._fetched_at = -MAX_AGE_SECONDS
