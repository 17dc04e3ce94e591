"""One usage gives one record, whatever way it comes in."""

import csv
import gzip
import io
import json
import unicodedata
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amberflo_workflows.core.chunks import extract_usages
from amberflo_workflows.core.rejected_item import RejectedItem, from_attributes, to_attributes
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_record import build_record
from amberflo_workflows.emit import UsageEmitter
from amberflo_workflows.emit.entries import build_usage_json
from amberflo_workflows.entrypoints.usage_message import read_usages as read_message
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.usage_files import read_usages
from amberflo_workflows.tasks import cancel_usage
from tests.cli.local_metering import create_meter
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api
from tests.polling import wait_until


class Usage(NamedTuple):
    """A usage as a program has it."""

    tenant: str
    value: float
    time: datetime
    unique_id: str
    dimensions: dict[str, str | bool]


def _has_different_names(dimensions: dict[str, Any]) -> bool:
    return len({unicodedata.normalize("NFC", name) for name in dimensions}) == len(dimensions)


# Letters that have a composed form are frequent; line breaks and invisible characters are not allowed in names.
names = st.text(st.sampled_from("aZ9-_ é\u0301\u0323ö한\u1112\u1161\u11ab\u212b"), min_size=1, max_size=12).map(
    lambda name: f"x{name}x"
)
usages = st.builds(
    Usage,
    tenant=names,
    value=st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15),
    time=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - see timezones
    unique_id=names,
    dimensions=st.dictionaries(names, names | st.booleans(), max_size=3).filter(_has_different_names),
)


def _members(usage: Usage) -> dict[str, Any]:
    return {
        "tenantId": usage.tenant,
        "meterApiName": "api-calls",
        "meterValue": usage.value,
        "uniqueId": usage.unique_id,
    }


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _csv_row(usage: Usage) -> dict[str, Any]:
    dimensions = {
        name: json.dumps(value) if isinstance(value, bool) else value for name, value in usage.dimensions.items()
    }
    return {**_members(usage), "time": usage.time.isoformat(), **dimensions}


def _reports(usage: Usage) -> Iterator[tuple[str, ReportedUsage]]:
    """Yield the usage as each way in reports it to the workflow."""
    millis = (usage.time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    body = {**_members(usage), "meterTimeInMillis": millis, "dimensions": usage.dimensions}
    text = json.dumps({**body, "meterValue": float(usage.value)}, ensure_ascii=False)
    flat = {**usage.dimensions, **body, "meterTimeInMillis": float(millis)}
    del flat["dimensions"]
    yield "http", extract_usages(body, event_id="e", event_time="")[0]
    yield (
        "http, decomposed",
        extract_usages(json.loads(unicodedata.normalize("NFD", text)), event_id="e", event_time="")[0],
    )
    yield (
        "http, time of the call",
        extract_usages(
            {**_members(usage), "dimensions": usage.dimensions}, event_id="e", event_time=usage.time.isoformat()
        )[0],
    )
    yield "records", extract_usages({"records": [None, flat]}, event_id="e", event_time="")[1]
    event = {"id": "e", "time": usage.time.isoformat(), "detail": {**_members(usage), **usage.dimensions}}
    envelope = {"version": "0", "detail-type": "d", "source": "s", "account": "a", "region": "r", "resources": []}
    for way, message in (("queue", {**envelope, **event}), ("queue, not as EventBridge's events", event)):
        (queued,) = read_message({"messageId": "m", "body": json.dumps(message), "attributes": {"SentTimestamp": "0"}})
        yield way, queued.reported
    emitted = build_usage_json(
        usage.tenant, "api-calls", usage.value, usage.time, dict(usage.dimensions), usage.unique_id
    )
    yield "emitter", extract_usages({"records": [json.loads(emitted)]}, event_id="e", event_time="")[0]
    yield "csv", next(read_usages([_csv([_csv_row(usage)])], "a.csv", "csv"))
    line = json.dumps({**body, "time": usage.time.isoformat()}).encode()
    yield "ndjson", next(read_usages([line], "a.ndjson", "ndjson"))
    item = RejectedItem("i", "rejected", "", "", "", "", "", "", msgspec.to_builtins(queued.reported))
    yield "redrive", msgspec.convert(from_attributes(to_attributes(item)).original, ReportedUsage)


@given(usages)
def test_the_record_does_not_depend_on_the_way_in(usage: Usage) -> None:
    records = {
        way: msgspec.json.encode(build_record(report.usage, event_id=report.event_id, event_time=report.event_time))
        for way, report in _reports(usage)
    }
    assert len(set(records.values())) == 1, records


@given(usages)
def test_a_cancellation_has_the_record_that_was_counted(usage: Usage) -> None:
    (_, report), *_ = _reports(usage)
    record = build_record(report.usage, event_id="", event_time="")
    (cancellation,) = cancel_usage._parse_request({"records": [report.usage]})  # type: ignore[misc]
    assert cancellation.dimensions.pop(cancel_usage.CANCEL_DIMENSION) == "true"
    assert cancellation == record


@pytest.mark.emulator
def test_a_usage_that_comes_by_every_way_counts_once(system: System, tmp_path: Path) -> None:
    """It also counts for one tenant, and is cancelled by any of its forms."""
    create_meter(system, "api-calls", dimensions=["région"])
    time = datetime.now(UTC).replace(microsecond=123_650) - timedelta(hours=1)
    tenant, name = f"Café {uuid.uuid4()}", "région"
    usage = Usage(tenant, 5, time, "usage-1", {name: "élysée"})
    decomposed = Usage(
        unicodedata.normalize("NFD", tenant),
        5.0,
        time,
        " usage-1 ",
        {unicodedata.normalize("NFD", name): unicodedata.normalize("NFD", "élysée")},
    )
    api, metering = Api(system), Metering(system, tmp_path / "home")
    bus = {"EventBusName": system.outputs["EventBusName"], "Source": "app"}
    millis = int(time.timestamp()) * 1000 + 123
    for form in (usage, decomposed):
        body = {**_members(form), "meterTimeInMillis": millis, **form.dimensions}
        assert api.call("POST", "ingest", body).status == 200
        assert api.call("POST", "ingest", {"records": [body]}).status == 200
        system.client("events").put_events(Entries=[{**bus, "DetailType": "ingestUsage", "Detail": json.dumps(body)}])
        with UsageEmitter(bus["EventBusName"], "app", client=system.client("events")) as emitter:
            emitter.record(
                form.tenant, "api-calls", form.value, time=time, unique_id=form.unique_id, dimensions=form.dimensions
            )
        (tmp_path / "a.csv").write_bytes(_csv([_csv_row(form)]))
        (tmp_path / "b.csv.gz").write_bytes(gzip.compress(_csv([_csv_row(form)])))
        line = json.dumps({**_members(form), "time": time.isoformat(), **form.dimensions})
        (tmp_path / "c.ndjson").write_text(line)
        for file in ("a.csv", "b.csv.gz", "c.ndjson"):
            assert metering("backfill", str(tmp_path / file)).returncode == 0
    assert wait_until(lambda: sandbox_of(system).requests()["records"] == 14, 60)
    assert sandbox_of(system).totals("api-calls") == {tenant: 5}
    cancellation = {**_members(decomposed), "meterTimeInMillis": millis, **decomposed.dimensions}
    assert api.call("DELETE", "usage", {"records": [cancellation]}).status == 200
    assert sandbox_of(system).totals("api-calls") == {}
