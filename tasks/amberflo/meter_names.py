"""The meters of the account, cached in this process, so that usage under any other name is rejected and not lost.

Amberflo accepts a record under any name, and never counts it if there is no such meter. The list is read once a minute,
and once more for a request with a name that is not in it: a meter may be younger than the list. So a name is rejected
only by a list that was read after the request arrived.
"""

import time
from collections.abc import Set
from dataclasses import dataclass, field, replace
from functools import lru_cache
from threading import Lock
from typing import Final

from amberflo_workflows.core.meter_names import KnownMeters, can_be_created
from amberflo_workflows.core.observability import logger
from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.config import METER_LIST_SECONDS, checks_meter_names
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError, AmberfloError, AmberfloUnavailable

# Between two reads of one process, so that a flood of unknown names is no flood of calls. A request waits this long.
MIN_INTERVAL_SECONDS: Final = 1.0
# If an expired list cannot be read, its names stay valid for this long before the next attempt.
RETRY_SECONDS: Final = 5.0
# Of the time of the state. The rest is for sending the usage.
_READ_SHARE: Final = 0.5


def find_unknown_meters(amberflo: AmberfloClient, names: Set[str]) -> dict[str, str]:
    """Return those of ``names`` under which there is no meter, each with the reason; none if the setting is off.

    Takes up to a second more than half of the client's time. Raises :class:`AmberfloThrottled`,
    :class:`AmberfloUnavailable` or :class:`AmberfloUnauthorized` if a name is not in the latest list and no newer one
    can be read: then the usage must be retried, neither rejected nor sent.
    """
    if not names or not checks_meter_names():
        return {}
    return meter_list(amberflo.api_key, amberflo.base_url).find_unknown(amberflo, names)


@dataclass
class MeterList:
    """The meters of one account. Times are those of ``time.monotonic``, in seconds."""

    _known: KnownMeters = field(default_factory=KnownMeters)
    # When the read of the current list started, and the latest attempt.
    _read_at: float = float("-inf")
    _attempted_at: float = float("-inf")
    _lock: Lock = field(default_factory=Lock, repr=False)

    def find_unknown(self, amberflo: AmberfloClient, names: Set[str]) -> dict[str, str]:
        """Return the reasons for the unknown names, see :func:`find_unknown_meters`."""
        arrived_at = time.monotonic()
        with self._lock:
            error = self._refresh_if_expired(amberflo)
            unknown = names - self._known.names
            if unknown and self._read_at < arrived_at:
                if error:
                    raise error
                if self._is_expired() or any(map(can_be_created, unknown)):
                    self._wait()
                    self._read(amberflo)
            return {name: self._known.find_error(name) for name in sorted(names - self._known.names)}

    def _is_expired(self) -> bool:
        return time.monotonic() - self._read_at >= METER_LIST_SECONDS

    def _refresh_if_expired(self, amberflo: AmberfloClient) -> AmberfloError | None:
        """Read the list if it is too old. Return the error if it cannot be read: most names are in the old list."""
        if not self._is_expired() or time.monotonic() - self._attempted_at < RETRY_SECONDS:
            return None
        try:
            self._read(amberflo)
        except AmberfloError as error:
            logger.warning("list of meters not read", extra={"reason": str(error)})
            return error
        return None

    def _wait(self) -> None:
        time.sleep(max(0.0, self._attempted_at + MIN_INTERVAL_SECONDS - time.monotonic()))

    def _read(self, amberflo: AmberfloClient) -> None:
        self._attempted_at = started = time.monotonic()
        try:
            meters = replace(amberflo, timeout_seconds=amberflo.timeout_seconds * _READ_SHARE).call("GET", "/meters")
        except AmberfloClientError as error:
            raise AmberfloUnavailable(f"Amberflo's list of meters cannot be read: status {error.status}.") from None
        if not isinstance(meters, list):
            raise AmberfloUnavailable("Amberflo's response to GET /meters is not a list.")
        self._known, self._read_at = KnownMeters.from_meters(meters), started


@lru_cache(maxsize=4)
def meter_list(_api_key: str, _base_url: str) -> MeterList:
    """Return this process's list for an API key: a new key may be that of another account."""
    return MeterList()
