"""The rules that cancel usage by the time of its ingestion, as the ledger has them; and the end of their effect.

Amberflo documents no way to read or delete its rules. But a rule replaces the one with its id, so that a rule whose
range has no usage undoes another one: what that cancelled counts again.
"""

from typing import Any, Final

from amberflo_workflows.core.ledger.receipt import UnreadableObject
from amberflo_workflows.core.ledger.rules import Rules, WrittenRule
from amberflo_workflows.operate.cancellation import build_rule
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.ledger.reader import open_ledger

# The first second of 1970, in which nothing was ingested.
_NO_USAGE: Final = (0, 1)


def list_rules(deployment: Deployment, meter_api_name: str | None = None) -> list[WrittenRule]:
    """Return the current rules, the latest first. On AWS a rule is in the ledger after up to five minutes.

    Raises :class:`OperatorError` and botocore's errors.
    """
    ledger = open_ledger(deployment)
    try:
        # First the receipts, so that one that is sorted meanwhile is read twice and not missed.
        receipts = ledger.list_unsorted(ledger.read_sorted_until())
        unsorted = list(ledger.read_receipts(receipts, lambda line: b'"rule":' in line))
        rules = Rules([*ledger.read_rules(), *unsorted]).list_current()
    except UnreadableObject as error:
        raise OperatorError(str(error)) from None
    return [rule for rule in rules if meter_api_name is None or rule.rule.meter_api_name == meter_api_name]


def find_rule(deployment: Deployment, rule_id: str) -> WrittenRule:
    """Return the rule with an id. Raises :class:`OperatorError` if there is none, or if it was undone."""
    rule = next((rule for rule in list_rules(deployment) if rule.rule.id == rule_id), None)
    if rule is None:
        raise OperatorError(f"The ledger has no rule '{rule_id}'.", see="usage rules")
    if is_undone(rule):
        raise OperatorError(f"The rule '{rule_id}' was undone already; it cancels nothing.")
    return rule


def is_undone(written: WrittenRule) -> bool:
    """Whether the rule cancels nothing because :func:`build_undo` has replaced another one."""
    time_range = written.rule.ingestion_time_range
    return (time_range.start_time_in_seconds, time_range.end_time_in_seconds) == _NO_USAGE


def build_undo(written: WrittenRule) -> dict[str, Any]:
    """Build the request of ``DELETE /usage`` that undoes a rule."""
    return build_rule(written.rule.meter_api_name, *_NO_USAGE, written.rule.id)
