"""The ASGI application with Amberflo's routes, which need an API key; ``control`` has the sandbox's own routes."""

import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from amberflo_workflows.sandbox import customers, ingest, meters, usage
from amberflo_workflows.sandbox.control import CONTROL_ROUTES
from amberflo_workflows.sandbox.errors import RequestRejected
from amberflo_workflows.sandbox.faults import FaultMiddleware, Faults
from amberflo_workflows.sandbox.settings import SandboxSettings
from amberflo_workflows.sandbox.store import Store

Endpoint = Callable[["Sandbox", Request], Awaitable[Response]]
_MAX_RECENT_CALLS = 200
_Text = Annotated[str, Meta(min_length=1)]
_Seconds = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class _Window(msgspec.Struct, forbid_unknown_fields=True):
    startTimeInSeconds: _Seconds  # noqa: N815 - as it is on the wire
    endTimeInSeconds: _Seconds  # noqa: N815


class _Rule(msgspec.Struct, forbid_unknown_fields=True):
    """A filtering rule without a property filter, whose form is not documented.

    Ignoring a part of a rule would cancel other tenants' usage, so a rule with unknown members is rejected.
    """

    id: _Text
    meterApiName: _Text  # noqa: N815
    ingestionTimeRange: _Window  # noqa: N815
    type: Literal["by_property_filter_out"]


class Sandbox:
    """An Amberflo account: its data, API keys, counted calls and active faults."""

    def __init__(self, store: Store, keys: set[str], settings: SandboxSettings) -> None:
        self.store = store
        self.keys = keys
        self.settings = settings
        self.faults = Faults()
        self.calls: Counter[tuple[str, str, int]] = Counter()
        self.recent: deque[dict[str, Any]] = deque(maxlen=_MAX_RECENT_CALLS)
        self.records = 0

    def log_call(self, request: Request, template: str, status: int) -> None:
        """Log a call with its raw path, without headers and body."""
        self.calls[request.method, template, status] += 1
        path = request.scope["raw_path"].decode("ascii", "backslashreplace")
        self.recent.append({"method": request.method, "path": path, "status": status})

    def build_app(self) -> FaultMiddleware:
        """Build the ASGI application; it closes the store when it ends."""

        @contextlib.asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            yield
            self.store.close()

        routes = [Route(path, self._with_key(path, endpoint), methods=[method]) for method, path, endpoint in _ROUTES]
        routes += [
            Route(path, self._without_key(endpoint), methods=[method]) for method, path, endpoint in CONTROL_ROUTES
        ]
        inner = Starlette(
            routes=routes,
            middleware=[Middleware(GZipMiddleware, minimum_size=1000)],
            exception_handlers={HTTPException: self._handle_gateway_error},
            lifespan=lifespan,
        )
        # Clients use paths with and without a slash at the end; a redirect would lose the body.
        inner.router.redirect_slashes = False
        return FaultMiddleware(inner, self.faults)

    def _with_key(self, template: str, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            if request.headers.get("x-api-key") not in self.keys:
                response: Response = JSONResponse({"message": "Unauthorized"}, 401)
            else:
                response = await self._handle_errors(endpoint, request)
            self.log_call(request, template, response.status_code)
            return response

        return serve

    def _without_key(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            return await self._handle_errors(endpoint, request)

        return serve

    async def _handle_errors(self, endpoint: Endpoint, request: Request) -> Response:
        try:
            return await endpoint(self, request)
        except RequestRejected as error:
            return error.build_response()
        except msgspec.MsgspecError as error:
            return JSONResponse({"errorMessage": f"Invalid request: {error}"}, 400)

    async def _handle_gateway_error(self, request: Request, error: Exception) -> Response:
        """Respond to an unknown path or method."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        self.log_call(request, "", status)
        return JSONResponse({"message": HTTPStatus(status).phrase}, status)


async def _read_json(request: Request) -> Any:
    return msgspec.json.decode(await request.body())


async def _read_object(request: Request) -> dict[str, Any]:
    return msgspec.json.decode(await request.body(), type=dict[str, Any])


def _read_count(query: Mapping[str, str], name: str, default: int) -> int:
    count: int = msgspec.convert(query.get(name, default), Annotated[int, Meta(ge=1)], strict=False)
    return count


async def _create_meter(sandbox: Sandbox, request: Request) -> Response:
    return JSONResponse(meters.create_meter(sandbox.store, sandbox.settings, await _read_json(request)))


async def _update_meter(sandbox: Sandbox, request: Request) -> Response:
    return JSONResponse(meters.update_meter(sandbox.store, sandbox.settings, await _read_json(request)))


async def _list_meters(sandbox: Sandbox, request: Request) -> Response:
    query = request.query_params
    return JSONResponse(meters.list_meters(sandbox.store, query.get("meterApiName"), query.get("label")))


async def _get_meter(sandbox: Sandbox, request: Request) -> Response:
    meter = sandbox.store.documents(meters.KIND).get(request.path_params["id"])
    if meter is None and sandbox.settings.missing_meter == "404":
        return JSONResponse({"message": "Not Found"}, 404)
    return JSONResponse(meter or {})


async def _delete_meter(sandbox: Sandbox, request: Request) -> Response:
    return JSONResponse(meters.delete_meter(sandbox.store, request.path_params["id"]))


async def _ingest(sandbox: Sandbox, request: Request) -> Response:
    body = await request.body()
    records_by_item = ingest.parse_records(body, request.headers.get("content-encoding", ""), sandbox.settings)
    sandbox.store.add([record for records in records_by_item for record in records])
    sandbox.records += len(records_by_item)
    return PlainTextResponse(ingest.build_response_text(len(records_by_item)))


def _report_usage(*, sparse: bool, batch: bool) -> Endpoint:
    async def serve(sandbox: Sandbox, request: Request) -> Response:
        queries = msgspec.convert(await _read_json(request), list[Any]) if batch else [await _read_json(request)]
        reports = [
            await run_in_threadpool(usage.build_report, sandbox.store, sandbox.settings, query, sparse=sparse)
            for query in queries
        ]
        return JSONResponse(reports if batch else reports[0])

    return serve


async def _report_all_usage(sandbox: Sandbox, request: Request) -> Response:
    params = request.query_params
    query: dict[str, Any] = {
        "timeRange": {
            "startTimeInSeconds": params.get("startTimeInSeconds"),
            "endTimeInSeconds": params.get("endTimeInSeconds"),
        },
        "timeGroupingInterval": params.get("timeGroupingInterval"),
        "groupBy": [params["groupBy"]] if params.get("groupBy") else [],
        "filter": {"customerId": [params["customerId"]]} if params.get("customerId") else {},
    }
    all_meters = meters.list_meters(sandbox.store, None, None)
    reports = await run_in_threadpool(usage.build_all_reports, sandbox.store, sandbox.settings, all_meters, query)
    return JSONResponse(reports)


async def _put_rule(sandbox: Sandbox, request: Request) -> Response:
    rule = msgspec.to_builtins(msgspec.json.decode(await request.body(), type=_Rule))
    await run_in_threadpool(sandbox.store.put_rule, rule)
    return JSONResponse(rule)


async def _list_rules(sandbox: Sandbox, request: Request) -> Response:
    meter = request.query_params.get("meterApiName")
    rows = sandbox.store.query("SELECT body FROM rules WHERE $1 IS NULL OR meter = $1 ORDER BY id", [meter])
    return JSONResponse([msgspec.json.decode(body) for (body,) in rows])


async def _create_customer(sandbox: Sandbox, request: Request) -> Response:
    return JSONResponse(customers.create_customer(sandbox.store, await _read_json(request)))


async def _replace_customer(sandbox: Sandbox, request: Request) -> Response:
    return JSONResponse(customers.replace_customer(sandbox.store, await _read_json(request)))


async def _find_customers(sandbox: Sandbox, request: Request) -> Response:
    customer_id = request.query_params.get("customerId")
    return JSONResponse(
        customers.get_customer(sandbox.store, customer_id) if customer_id else customers.list_customers(sandbox.store)
    )


async def _get_customer(sandbox: Sandbox, request: Request) -> Response:
    return JSONResponse(customers.get_customer(sandbox.store, request.path_params["id"]))


async def _list_customer_page(sandbox: Sandbox, request: Request) -> Response:
    query = request.query_params
    number, limit = _read_count(query, "page", 1), _read_count(query, "limit", 25)
    return JSONResponse(customers.build_page(sandbox.store, number, limit, query.get("search", "")))


async def _hide_customer(sandbox: Sandbox, request: Request) -> Response:
    return JSONResponse(customers.hide_customer(sandbox.store, request.path_params["id"]))


async def _move_customer(sandbox: Sandbox, request: Request) -> Response:
    body = await _read_object(request)
    return JSONResponse(
        customers.move_customer(sandbox.store, str(body.get("customerId")), str(body.get("lifecycleStage")))
    )


async def _reinstate_customer(sandbox: Sandbox, request: Request) -> Response:
    body = await _read_object(request)
    return JSONResponse(customers.reinstate_customer(sandbox.store, str(body.get("customerId"))))


_ROUTES: list[tuple[str, str, Endpoint]] = [
    ("POST", "/meters", _create_meter),
    ("PUT", "/meters", _update_meter),
    ("GET", "/meters", _list_meters),
    ("GET", "/meters/{id}", _get_meter),
    ("DELETE", "/meters/{id}", _delete_meter),
    ("POST", "/", _ingest),
    ("POST", "/ingest", _ingest),
    ("POST", "/ingest/", _ingest),
    ("POST", "/usage", _report_usage(sparse=False, batch=False)),
    ("POST", "/usage/", _report_usage(sparse=False, batch=False)),
    ("POST", "/usage/batch", _report_usage(sparse=False, batch=True)),
    ("POST", "/usage/sparse", _report_usage(sparse=True, batch=False)),
    ("POST", "/usage/sparse/batch", _report_usage(sparse=True, batch=True)),
    ("GET", "/usage/all", _report_all_usage),
    ("POST", "/ingest-snapshot/custom-filtering-rules", _put_rule),
    ("GET", "/ingest-snapshot/custom-filtering-rules", _list_rules),
    ("POST", "/customers", _create_customer),
    ("POST", "/customers/", _create_customer),
    ("PUT", "/customers", _replace_customer),
    ("PUT", "/customers/", _replace_customer),
    ("GET", "/customers", _find_customers),
    ("GET", "/customers/", _find_customers),
    ("GET", "/customers/paging", _list_customer_page),
    ("PUT", "/customers/stage", _move_customer),
    ("PUT", "/customers/reinstate", _reinstate_customer),
    ("GET", "/customers/{id}", _get_customer),
    ("DELETE", "/customers/{id}", _hide_customer),
]
