"""A range of usage to cancel: the rule for it, and a guess of what it takes away."""

from typing import Any, Final, NamedTuple

from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.usage_report import choose_interval, fetch_usage

SHOWN_TENANTS: Final = 20


class CancelEstimate(NamedTuple):
    """Usage that bears a time in the range, by whole ``interval``s: of the largest tenants, and of all.

    The API knows usage by its own time only, and the rule works by when usage was taken in.
    """

    interval: str
    tenants: list[tuple[str, float]]
    total: float

    @property
    def is_all(self) -> bool:
        """Whether there are no more tenants than these."""
        return len(self.tenants) < SHOWN_TENANTS


def build_rule(meter_api_name: str, start: int, end: int, rule_id: str | None = None) -> dict[str, Any]:
    """The rule over usage that was taken in between epoch seconds.

    Its default id is the same for the same range, so that a repetition changes nothing.
    """
    return {
        "id": rule_id or f"cancel-{meter_api_name}-{start}-{end}",
        "meterApiName": meter_api_name,
        "ingestionTimeRange": {"startTimeInSeconds": start, "endTimeInSeconds": end},
    }


def estimate_range(client: ApiClient, meter: dict[str, Any], start: int, end: int, now: int) -> CancelEstimate | None:
    """What the API can say; ``None`` of a range that is still to come. Raises :class:`OperatorError`."""
    if start >= now:
        return None
    interval, between = choose_interval(end - start), (start, min(end, now))
    all_of_it = fetch_usage(client, meter, between, interval, {})
    tenants = fetch_usage(client, meter, between, interval, {"groupBy": "customerId", "take": SHOWN_TENANTS})
    return CancelEstimate(
        interval,
        [(group.of.get("customerId", ""), group.total) for group in tenants.groups],
        sum(group.total for group in all_of_it.groups),
    )
