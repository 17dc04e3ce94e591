"""The sandbox's control routes, under ``/_sandbox/``: faults, API keys, counted calls, records, totals."""

from itertools import chain
from typing import TYPE_CHECKING

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from amberflo_workflows.sandbox import customers, ingest, meters, usage
from amberflo_workflows.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from amberflo_workflows.sandbox.app import Sandbox


class RecordSelection(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Records: those of a meter, of a customer, and with some ids, or of any of these."""

    meter_api_name: str | None = None
    customer_id: str | None = None
    unique_ids: list[str] | None = None


async def _health(_sandbox: "Sandbox", _request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _requests(sandbox: "Sandbox", _request: Request) -> Response:
    counts = [
        {"method": method, "path": path, "status": status, "count": count}
        for (method, path, status), count in sorted(sandbox.calls.items())
    ]
    total = sum(sandbox.calls.values())
    return JSONResponse({"total": total, "records": sandbox.records, "counts": counts, "recent": list(sandbox.recent)})


async def _clear_requests(sandbox: "Sandbox", _request: Request) -> Response:
    sandbox.calls.clear()
    sandbox.recent.clear()
    sandbox.records = 0
    return JSONResponse({})


async def _faults(sandbox: "Sandbox", _request: Request) -> Response:
    return JSONResponse(sandbox.faults.describe())


async def _replace_faults(sandbox: "Sandbox", request: Request) -> Response:
    sandbox.faults.replace(msgspec.json.decode(await request.body(), type=list[Fault]))
    return JSONResponse(sandbox.faults.describe())


async def _clear_faults(sandbox: "Sandbox", _request: Request) -> Response:
    sandbox.faults.replace([])
    return JSONResponse([])


async def _put_keys(sandbox: "Sandbox", request: Request) -> Response:
    sandbox.keys = set(msgspec.json.decode(await request.body(), type=dict[str, list[str]]).get("keys", []))
    return JSONResponse({"keys": len(sandbox.keys)})


async def _list_records(sandbox: "Sandbox", _request: Request) -> Response:
    records = await run_in_threadpool(sandbox.store.list_distinct)
    return JSONResponse([ingest.format_record(record) for record in records])


async def _add_records(sandbox: "Sandbox", request: Request) -> Response:
    records = ingest.parse_records(await request.body(), "", sandbox.settings)
    sandbox.store.add(list(chain.from_iterable(records)))
    return JSONResponse({"added": len(records)})


async def _delete_records(sandbox: "Sandbox", request: Request) -> Response:
    selection = msgspec.json.decode(await request.body(), type=RecordSelection)
    deleted = await run_in_threadpool(
        sandbox.store.delete, selection.meter_api_name, selection.customer_id, selection.unique_ids
    )
    return JSONResponse({"deleted": deleted})


async def _totals(sandbox: "Sandbox", request: Request) -> Response:
    name = request.query_params.get("meterApiName", "")
    return JSONResponse(await run_in_threadpool(usage.compute_totals, sandbox.store, sandbox.settings, name))


async def _customers(sandbox: "Sandbox", _request: Request) -> Response:
    return JSONResponse(sandbox.store.documents(customers.KIND))


async def _create_meters(sandbox: "Sandbox", request: Request) -> Response:
    names = msgspec.json.decode(await request.body(), type=list[str])
    meters.add_missing_meters(sandbox.store, names)
    return JSONResponse({})


async def _reset(sandbox: "Sandbox", request: Request) -> Response:
    names = msgspec.json.decode(await request.body() or b"[]", type=list[str])
    sandbox.store.clear()
    meters.add_missing_meters(sandbox.store, names)
    return await _clear_requests(sandbox, request)


CONTROL_ROUTES: list[tuple[str, str, "Callable[[Sandbox, Request], Awaitable[Response]]"]] = [
    ("GET", "/_sandbox/health", _health),
    ("GET", "/_sandbox/requests", _requests),
    ("DELETE", "/_sandbox/requests", _clear_requests),
    ("GET", "/_sandbox/faults", _faults),
    ("PUT", "/_sandbox/faults", _replace_faults),
    ("DELETE", "/_sandbox/faults", _clear_faults),
    ("PUT", "/_sandbox/keys", _put_keys),
    ("POST", "/_sandbox/meters", _create_meters),
    ("GET", "/_sandbox/records", _list_records),
    ("POST", "/_sandbox/records", _add_records),
    ("POST", "/_sandbox/records/delete", _delete_records),
    ("GET", "/_sandbox/totals", _totals),
    ("GET", "/_sandbox/customers", _customers),
    ("POST", "/_sandbox/reset", _reset),
]
