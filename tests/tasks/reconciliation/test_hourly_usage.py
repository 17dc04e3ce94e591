"""What Amberflo reports by tenant and hour, also if a report is too large or odd."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from amberflo_workflows.core.ledger.layout import HOUR_SECONDS
from amberflo_workflows.core.ledger.totals import Hour
from amberflo_workflows.tasks.amberflo import hourly_usage
from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.errors import AmberfloClientError, AmberfloUnavailable
from amberflo_workflows.tasks.amberflo.hourly_usage import fetch_hours
from tests.core.ledger.entries import START
from tests.http_server import serving

Respond = Callable[[dict[str, Any]], tuple[int, Any]]


def _fetch(respond: Respond, hours: int = 4, tenant: str | None = None) -> tuple[dict[Hour, float], list[Any]]:
    """Fetch hours from a server; returns them and the queries."""
    queries: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            queries.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = respond(queries[-1])
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with serving(Handler) as url:
        client = AmberfloClient("key", url, url, 5)
        return dict(fetch_hours(client, "m", START, START + hours * HOUR_SECONDS, tenant)), queries


def _build_report(query: dict[str, Any], tenants: int = 2) -> Any:
    """A report with the number of an hour as its value, for the range and the interval after it."""
    bounds = query["timeRange"]
    starts = range(bounds["startTimeInSeconds"], bounds["endTimeInSeconds"] + HOUR_SECONDS, HOUR_SECONDS)
    values = [{"secondsSinceEpochUtc": start, "value": (start - START) // HOUR_SECONDS} for start in starts]
    return {
        "clientMeters": [{"group": {"groupInfo": {"customerId": f"t{n}"}}, "values": values} for n in range(tenants)]
    }


def _expect(hours: int) -> dict[Hour, float]:
    # An hour without usage is not reported.
    return {Hour("m", f"t{n}", START + number * HOUR_SECONDS): number for n in range(2) for number in range(1, hours)}


def test_a_report_is_one_request_and_has_nothing_beyond_the_range() -> None:
    hours, queries = _fetch(lambda query: (200, _build_report(query)))
    assert hours == _expect(4)
    assert queries == [
        {
            "meterApiName": "m",
            "timeRange": {"startTimeInSeconds": START, "endTimeInSeconds": START + 4 * HOUR_SECONDS},
            "timeGroupingInterval": "HOUR",
            "groupBy": ["customerId"],
        }
    ]


def test_a_tenant_is_a_filter() -> None:
    _, queries = _fetch(lambda query: (200, _build_report(query)), tenant="Acme, Inc.")
    assert queries[0]["filter"] == {"customerId": ["Acme, Inc."]}


def test_a_report_with_too_many_rows_is_requested_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hourly_usage, "MAX_ROWS", 7)
    hours, queries = _fetch(lambda query: (200, _build_report(query)), hours=5)
    assert hours == _expect(5)
    assert len(queries) > 1


def test_a_report_that_is_too_large_is_requested_in_parts() -> None:
    def respond(query: dict[str, Any]) -> tuple[int, Any]:
        bounds = query["timeRange"]
        is_large = bounds["endTimeInSeconds"] - bounds["startTimeInSeconds"] > HOUR_SECONDS
        return (413, {}) if is_large else (200, _build_report(query))

    hours, queries = _fetch(respond)
    assert (hours, len(queries)) == (_expect(4), 7)


def test_an_hour_that_is_too_large_is_an_error() -> None:
    with pytest.raises(AmberfloClientError) as raised:
        _fetch(lambda _query: (413, {}), hours=1)
    assert raised.value.status == 413


@pytest.mark.parametrize(
    "report", [None, [], {}, {"clientMeters": 5}, {"clientMeters": [{"values": [{"value": "x"}]}]}]
)
def test_a_response_that_is_no_report_is_an_error(report: Any) -> None:
    with pytest.raises(AmberfloUnavailable, match="is not a report"):
        _fetch(lambda _query: (200, report))


def test_usage_without_a_customer_has_an_empty_name() -> None:
    value = {"secondsSinceEpochUtc": START, "value": 3}
    hours, _ = _fetch(
        lambda _query: (200, {"clientMeters": [{"group": {"groupInfo": {"customerId": None}}, "values": [value]}]})
    )
    assert hours == {Hour("m", "", START): 3}
