"""The rules of a history, and what must hold after each of them."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import pytest
from botocore.exceptions import ClientError
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from amberflo_workflows.core.rejected_item import OPEN_STATUSES, RejectedItem
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.rejected.dead_letters import DeadLetters
from amberflo_workflows.operate.rejected.redrive import redrive
from amberflo_workflows.operate.rejected.table import RejectedTable
from tests.histories import calls
from tests.histories.events import Event
from tests.histories.faults import Fault, Kind
from tests.histories.ledger import TENANTS, Form, Ledger, Place, Usage, list_usages
from tests.histories.observed import (
    Amberflo,
    by_usage,
    list_items,
    list_names,
    list_without_outcome,
    read_places,
)
from tests.histories.stack import MAX_RECEIVE_COUNT, METERS, VISIBILITY_SECONDS, Stack

_MAX_BATCH = 50
_MAX_ACKNOWLEDGED = 5
_SECONDS_ON_THE_BUS = 7
# At the limits of a request to Amberflo and of a chunk.
_MANY = (99, 100, 101, 299, 300, 301)

_forms = st.lists(st.sampled_from([Form.GOOD, *Form]), min_size=1, max_size=3)
_faults = st.none() | st.builds(Fault, st.sampled_from(Kind), skip=st.integers(0, 2), always=st.booleans())
_counts = st.integers(1, 5)
# Which of the possible ones, in the order in which they were reported.
_picks = st.integers(0, 4)


class Call(NamedTuple):
    """A ``POST /ingest`` that its caller repeats until it gets a 200."""

    key: str
    names: list[str]
    # How many of the usages are good.
    good: int
    body: Any


Rule = TypeVar("Rule", bound=Callable[..., None])


def _has(place: Place) -> Callable[[Rule], Rule]:
    """The rule is possible only if a usage is in this place."""
    decorate: Callable[[Rule], Rule] = precondition(lambda self: place in self.ledger.occupied)
    return decorate


class IngestMachine(RuleBasedStateMachine):
    """A stack, and the ledger of what was reported to it."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        stack.reset()
        self.stack = stack
        self.ledger = Ledger()
        self.amberflo = Amberflo(stack)
        self.acknowledged: list[calls.Message] = []
        self.calls: list[Call] = []
        # Usages that the latest rule must have processed.
        self.processed: list[str] = []
        self.checks = self.keys = 0
        self.holds = True
        self.calls_checked = stack.network.calls
        self.calls_at_rotation = stack.network.calls_of_amberflo

    @initialize(forms=_forms, own_identity=st.booleans())
    def report_first(self, forms: list[Form], own_identity: bool) -> None:
        self.report(forms, own_identity, TENANTS[0], METERS[0])

    @rule(forms=_forms, own_identity=st.booleans(), tenant=st.sampled_from(TENANTS), meter=st.sampled_from(METERS))
    def report(self, forms: list[Form], own_identity: bool, tenant: str, meter: str) -> None:
        self._send_event([self._add(form, tenant, meter, own_identity) for form in forms])

    # Only as the first rule, since it makes all others slower.
    @precondition(lambda self: self.checks <= 1)
    @rule(count=st.sampled_from(_MANY))
    def report_many(self, count: int) -> None:
        self._send_event([self._add(Form.GOOD, TENANTS[0], METERS[0], own_identity=False) for _ in range(count)])

    @_has(Place.QUEUED)
    @rule(count=_counts, backwards=st.booleans(), fault=_faults)
    def deliver(self, count: int, backwards: bool, fault: Fault | None) -> None:
        messages = calls.receive(self.stack, count)
        self._process(messages[::-1] if backwards else messages, fault)

    @_has(Place.QUEUED)
    @rule(fault=_faults)
    def deliver_all(self, fault: Fault | None) -> None:
        self._wait()
        self._process(calls.receive(self.stack, _MAX_BATCH), fault)

    @precondition(lambda self: self.acknowledged)
    @rule(count=_counts, fault=_faults)
    def deliver_again(self, count: int, fault: Fault | None) -> None:
        """Deliver acknowledged messages a second time, as SQS may, together with one that is new."""
        self._process([*self.acknowledged[-count:], *calls.receive(self.stack, 1)], fault)

    @_has(Place.QUEUED)
    @rule()
    def fail_until_dead(self) -> None:
        """Deliver everything five times to a function that ends, so that it moves to the dead-letter queue."""
        for _ in range(MAX_RECEIVE_COUNT):
            self._wait()
            self._process(calls.receive(self.stack, _MAX_BATCH), Fault(Kind.STARTER_KILLED_BEFORE_START))
        self._wait()
        calls.receive(self.stack, 1)

    @precondition(lambda self: self.stack.network.calls_of_amberflo > self.calls_at_rotation)
    @rule()
    def rotate_key(self) -> None:
        self.keys += 1
        self.stack.rotate_key(self.keys)
        self.calls_at_rotation = self.stack.network.calls_of_amberflo

    @rule(forms=_forms, own_identity=st.booleans(), fault=_faults)
    def call(self, forms: list[Form], own_identity: bool, fault: Fault | None) -> None:
        usages = [self._add(form, TENANTS[1], METERS[0], own_identity) for form in forms]
        names = [usage.name for usage in usages]
        self.ledger.unanswered.update(names)
        good = sum(usage.is_good for usage in usages)
        self.calls.append(Call(f"call-{len(self.calls)}", names, good, {"records": [usage.body for usage in usages]}))
        self._call(self.calls[-1], fault)

    @precondition(lambda self: self.calls)
    @rule(pick=_picks, fault=_faults)
    def repeat_call(self, pick: int, fault: Fault | None) -> None:
        self._call(self.calls[pick % len(self.calls)], fault)

    @_has(Place.REJECTED)
    @rule(pick=_picks)
    def edit(self, pick: int) -> None:
        """Correct a rejected usage; one that may be on its way cannot be edited."""
        item = self._pick_item(pick)
        usage = self._usage(item).fixed
        if item.status == "rejected":
            RejectedTable(self.stack).edit(item, usage.body)
            self.ledger.usages[usage.name] = usage
        else:
            with pytest.raises(OperatorError):
                RejectedTable(self.stack).edit(item, usage.body)

    @_has(Place.REJECTED)
    @rule(pick=_picks)
    def drop(self, pick: int) -> None:
        """Drop a rejected usage; one that may be on its way cannot be dropped."""
        item = self._pick_item(pick)
        if item.status == "rejected":
            RejectedTable(self.stack).drop(item, "a test")
        else:
            with pytest.raises(OperatorError):
                RejectedTable(self.stack).drop(item, "a test")

    @_has(Place.REJECTED)
    @rule(count=_counts, fault=_faults)
    def redrive(self, count: int, fault: Fault | None) -> None:
        items = self._open_items()[:count]
        results = []
        with self.stack.fault(fault):
            try:
                results = list(redrive(self.stack, items))
            except (OperatorError, ClientError) as error:
                note(f"{error}")
        for result in results:
            usage = self._usage(result.item)
            assert result.counted == usage.is_good, f"{usage}: {result.item.reason}"
        assert results or fault

    @_has(Place.COUNTED)
    @rule(pick=_picks, fault=_faults)
    def cancel(self, pick: int, fault: Fault | None) -> None:
        usages = [usage for usage in self.ledger.at(Place.COUNTED) if usage.name in self.ledger.identities]
        for usage in usages[pick : pick + 1]:
            unique_id, millis = self.ledger.identities[usage.name]
            body = {"records": [{**usage.body, "uniqueId": unique_id, "meterTimeInMillis": millis}]}
            status = 0
            with self.stack.fault(fault):
                status, _ = calls.call_api("DELETE", "/usage", body)
            assert status == 200 or fault
            if status == 200:
                self.amberflo.read()
                assert self.amberflo.place(usage.name) is Place.CANCELLED

    @_has(Place.DEAD)
    @rule(count=_counts, fault=_faults)
    def redrive_dead(self, count: int, fault: Fault | None) -> None:
        with self.stack.fault(fault), DeadLetters(self.stack).receive() as events:
            for event in events[:count]:
                DeadLetters(self.stack).redrive(event)

    @_has(Place.DEAD)
    @rule()
    def drop_dead(self) -> None:
        with DeadLetters(self.stack).receive() as events:
            for event in events[:1]:
                DeadLetters(self.stack).drop(event, "a test")

    def teardown(self) -> None:
        # After a failure there is another message to read.
        if self.holds:
            self.amberflo.check_totals()

    @invariant()
    def every_usage_is_in_one_place_and_counts_once(self) -> None:
        self.checks += 1
        self.holds = False
        if self.stack.network.calls != self.calls_checked:
            self._check()
        self.holds = True

    def _check(self) -> None:
        for place, usages in self.ledger.move(read_places(self.stack, self.amberflo)).items():
            note(f"    {place.value}: {list_usages(usages)}")
        assert self.amberflo.totals == self.ledger.add_up(), (
            f"Amberflo's totals differ from the ledger's; its records:\n{self.amberflo}"
        )
        self.ledger.check_processed(self.processed)
        self._check_receipts()
        self.processed = []
        self.calls_checked = self.stack.network.calls

    def _check_receipts(self) -> None:
        """What is counted is in the ledger of the product, unless nobody was told so."""
        counted = {usage.name for usage in self.ledger.at(Place.COUNTED, Place.CANCELLED)}
        missing = counted - self.stack.network.receipted - self.ledger.unanswered
        if missing:
            missing -= list_without_outcome(self.stack)
        assert not missing, f"counted, but in no receipt: {missing}"

    def _add(self, form: Form, tenant: str, meter: str, own_identity: bool) -> Usage:
        number = len(self.ledger.usages) + 1
        identity = (f"own-{number}", int(self.stack.clock.now * 1000) + number) if own_identity else None
        usage = Usage(number, tenant, meter, form, identity)
        self.ledger.usages[usage.name] = usage
        if identity:
            self.ledger.identities[usage.name] = identity
        return usage

    def _send_event(self, usages: list[Usage]) -> None:
        """Queue the event of these usages, as the bus does."""
        event = Event(usages, int(self.stack.clock.now) - _SECONDS_ON_THE_BUS)
        for usage, identity in zip(usages, event.identities, strict=True):
            self.ledger.identities.setdefault(usage.name, identity)
        self.stack.client("sqs").send_message(QueueUrl=self.stack.outputs["UsageQueueUrl"], MessageBody=event.body)

    def _wait(self) -> None:
        """Wait until received messages are visible again. The caches of the Lambdas expire earlier."""
        self.stack.clock.sleep(VISIBILITY_SECONDS + 1)

    def _process(self, messages: list[calls.Message], fault: Fault | None) -> None:
        if not messages:
            return
        with self.stack.fault(fault):
            acknowledged = calls.deliver(messages)
            calls.delete(self.stack, acknowledged)
            self.acknowledged = [*self.acknowledged, *acknowledged][-_MAX_ACKNOWLEDGED:]
        if fault is None:
            self.processed = [name for message in messages for name in list_names(message["body"])]

    def _call(self, call: Call, fault: Fault | None) -> None:
        status, body = 0, None
        with self.stack.fault(fault):
            status, body = calls.call_api("POST", "/ingest", call.body, call.key)
        note(f"    status {status or 'unknown, the function was killed'}")
        assert status == 200 or fault, body
        if status == 200:
            # As reported, whatever an operator has changed since.
            assert body["data"]["accepted"] == call.good
            self.ledger.unanswered.difference_update(call.names)
            self.processed = call.names

    def _open_items(self) -> list[RejectedItem]:
        """The items to redrive, in the order in which their usages were reported."""
        items = by_usage(list_items())
        return [items[name] for name in self.ledger.usages if name in items and items[name].status in OPEN_STATUSES]

    def _pick_item(self, pick: int) -> RejectedItem:
        # Its usage may be counted already, with a result that was lost.
        items = [item for item in self._open_items() if self.ledger.places[self._usage(item).name] is Place.REJECTED]
        return items[pick % len(items)]

    def _usage(self, item: RejectedItem) -> Usage:
        return self.ledger.usages[item.original["usage"]["name"]]
