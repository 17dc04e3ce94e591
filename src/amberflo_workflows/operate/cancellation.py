"""Cancel usage: by a rule over a range of time, or single usages from a file."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from amberflo_workflows.core.chunks import extract_usages
from amberflo_workflows.core.file_encoding import InvalidFile, check_encoding, describe_invalid_byte
from amberflo_workflows.core.json_text import parse_json
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.backfill.source import LocalFile
from amberflo_workflows.operate.usage_files import Usage, read_usages, validate_usages
from amberflo_workflows.operate.usage_report import choose_interval, fetch_usage

MAX_ESTIMATE_TENANTS: Final = 20
MAX_CALL_USAGES: Final = 100
# A request body may have 258,048 bytes.
MAX_CALL_BYTES: Final = 200_000


class CancelEstimate(NamedTuple):
    """Usage with a time in the range, in full ``interval``s: of the tenants with the most usage, and in total.

    An estimate, because the API groups usage by its own time, and the rule selects it by the time of ingestion.
    """

    interval: str
    tenants: list[tuple[str, float]]
    total: float

    @property
    def is_complete(self) -> bool:
        """Whether ``tenants`` has all tenants."""
        return len(self.tenants) < MAX_ESTIMATE_TENANTS


def build_rule(
    meter_api_name: str, start: int, end: int, rule_id: str | None = None, *, allow_future: bool = False
) -> dict[str, Any]:
    """Build the rule that cancels the usage ingested between two times, in epoch seconds.

    With ``allow_future`` the range may end in the future: then usage to come is cancelled as well. The default id is
    the same for the same range, so that repeating the call changes nothing.
    """
    return {
        "id": rule_id or f"cancel-{meter_api_name}-{start}-{end}",
        "meterApiName": meter_api_name,
        "ingestionTimeRange": {"startTimeInSeconds": start, "endTimeInSeconds": end},
        **({"allowFuture": True} if allow_future else {}),
    }


def estimate_range(client: ApiClient, meter: dict[str, Any], start: int, end: int, now: int) -> CancelEstimate | None:
    """Estimate what a rule would cancel; ``None`` for a range in the future. Raises :class:`OperatorError`."""
    if start >= now:
        return None
    interval, time_range = choose_interval(end - start), (start, min(end, now))
    all_usage = fetch_usage(client, meter, time_range, interval, {})
    query: dict[str, str | int] = {"groupBy": "customerId", "take": MAX_ESTIMATE_TENANTS}
    by_tenant = fetch_usage(client, meter, time_range, interval, query)
    return CancelEstimate(
        interval,
        [(group.labels.get("customerId", ""), group.total) for group in by_tenant.groups],
        sum(group.total for group in all_usage.groups),
    )


def read_records(path: Path) -> list[Usage]:
    """Return the usages of a JSON file (a list, ``{"records": [usage…]}`` or one usage) or of an NDJSON file.

    Raises :class:`InvalidFile`, also if a usage lacks the ``uniqueId`` or the time by which Amberflo identifies it.
    """
    usages = validate_usages(path, _read_records(path))
    for number, usage in enumerate(usages, 1):
        if usage.get("uniqueId") is None:
            raise InvalidFile(f"{path}, usage {number}: uniqueId is missing; it is required to identify the usage.")
    return usages


def _read_records(path: Path) -> Iterable[ReportedUsage]:
    content = b"".join(LocalFile(path).read())
    check_encoding(content)
    try:
        text = content.decode("utf-8-sig")
        document = parse_json(text)
        if not isinstance(document, str):
            records = {"records": document} if isinstance(document, list) else document
            return extract_usages(records, event_id="", event_time="")
    except UnicodeDecodeError as error:
        position = error.start + len(content) - len(error.object)
        raise InvalidFile(f"{path}, at {position:,}: {describe_invalid_byte(error)}.") from None
    except RecursionError:
        raise InvalidFile(f"{path} is nested too deeply.") from None
    if not text.lstrip().startswith("{"):
        raise InvalidFile(f"{path} is neither JSON nor NDJSON.")
    return read_usages([content], path.name, "ndjson")


def split_into_calls(usages: Sequence[Usage]) -> Iterator[list[Usage]]:
    """Split usages, in order, into lists that fit into one API call each."""
    call: list[Usage] = []
    room = MAX_CALL_BYTES
    for usage in usages:
        size = len(json.dumps(usage)) + 2
        if call and (size > room or len(call) == MAX_CALL_USAGES):
            yield call
            call, room = [], MAX_CALL_BYTES
        call.append(usage)
        room -= size
    if call:
        yield call
