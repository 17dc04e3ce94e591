"""What a rule cancels: usage that was first counted in its range; and the list of rules."""

import pytest

from amberflo_workflows.core.ledger.rules import Rules
from tests.core.ledger.entries import build_entry, build_rule


def _find(rules: Rules, second: int, meter: str = "m") -> str:
    written = rules.find(meter, build_entry("counted", second, None).time)
    return written.rule.id if written else ""


def test_a_rule_ends_before_its_end_and_is_for_one_meter() -> None:
    rules = Rules(
        [build_entry("rule", 30, build_rule("r", 10, 20)), build_entry("rule", 31, build_rule("s", 0, 9, "n"))]
    )
    assert [_find(rules, second) for second in (9, 10, 19, 20)] == ["", "r", "r", ""]
    assert [_find(rules, second, "n") for second in (0, 8, 9)] == ["s", "s", ""]


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_rule_replaces_the_rule_with_its_id(is_reversed: bool) -> None:
    entries = [build_entry("rule", 30, build_rule("r", 0, 60)), build_entry("rule", 40, build_rule("r", 50, 60))]
    if is_reversed:
        entries.reverse()
    rules = Rules(entries)
    assert [_find(rules, second) for second in (5, 55)] == ["", "r"]


def test_current_rules_are_listed_with_the_latest_first() -> None:
    entries = [build_entry("rule", at, build_rule(name, 0, 60)) for at, name in ((30, "a"), (50, "b"), (40, "c"))]
    assert [written.rule.id for written in Rules(entries).list_current()] == ["b", "c", "a"]
