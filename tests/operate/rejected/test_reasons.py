"""Rejected usage, grouped by its reason."""

from amberflo_workflows.operate.rejected.item_filter import ItemSummary
from amberflo_workflows.operate.rejected.reasons import ReasonGroup, group_by_reason


def _build(reason: str, tenant: str, meter: str, hour: int) -> ItemSummary:
    return ItemSummary(f"{reason} {hour}", "rejected", reason, tenant, meter, f"2026-11-28T{hour:02}:00:00Z")


def test_the_largest_group_is_first_and_has_its_names_once() -> None:
    summaries = [
        _build("b", "t1", "m", 3),
        _build("a", "t2", "m", 2),
        _build("a", "", "", 1),
        _build("a", "t1", "n", 5),
    ]
    assert group_by_reason(summaries) == [
        ReasonGroup("a", 3, ["t1", "t2"], ["m", "n"], "2026-11-28T01:00:00Z", "2026-11-28T05:00:00Z"),
        ReasonGroup("b", 1, ["t1"], ["m"], "2026-11-28T03:00:00Z", "2026-11-28T03:00:00Z"),
    ]
    assert group_by_reason([]) == []


def test_groups_of_the_same_size_are_in_the_order_of_their_reasons() -> None:
    groups = group_by_reason([_build(reason, "t", "m", 1) for reason in "cab"])
    assert [group.reason for group in groups] == ["a", "b", "c"]
