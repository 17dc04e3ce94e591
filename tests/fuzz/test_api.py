"""Calls generated from the OpenAPI document. With ``METERING_SOAK=1`` there are more, with a new seed each time."""

import os
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
import schemathesis
from schemathesis import Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from amberflo_workflows.entrypoints.api import DOCUMENT
from amberflo_workflows.local.system import System
from tests.entrypoints.calls import METER, Api
from tests.fuzz.calls import Call, generate_calls, use_meters
from tests.polling import wait_until

pytestmark = [pytest.mark.system, pytest.mark.long]

SOAK = bool(os.environ.get("METERING_SOAK"))
CALLS = 20_000 if SOAK else 400
SEED = random.SystemRandom().randrange(10**6) if SOAK else 1
THREADS = 8
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def _create_meter(api: Api) -> str:
    name = f"meter-{uuid.uuid4()}"
    response = api.call("POST", "meters", {**METER, "label": name, "meterApiName": name, "dimensions": ["region"]})
    return str(response.body["data"]["id"])


def _send(api: Api, calls: Iterator[Call]) -> Iterator[tuple[Call, Response]]:
    def send_call(call: Call) -> Response:
        headers = {"Authorization": f"Bearer {api.token}"}
        return call.call(base_url=api.system.api_endpoint.rstrip("/"), headers=headers, timeout=60)

    with ThreadPoolExecutor(THREADS) as pool:
        while batch := list(islice(calls, 200)):
            yield from zip(batch, pool.map(send_call, batch), strict=True)


def _wait_for_executions(system: System) -> None:
    """Wait for what calls have started, since a replay would send usage during the next test."""
    client = system.client("stepfunctions")
    arns = [system.state_machine_arns[name] for name in ("reconcile_usage", "replay_usage", "close_period")]
    assert wait_until(
        lambda: (
            not any(client.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"] for arn in arns)
        ),
        seconds=120,
    )


def test_no_call_breaks_the_api_and_every_response_is_in_the_document(system: System) -> None:
    print(f"\n{CALLS:,} calls, seed {SEED}")
    api = Api(system)
    meter_ids = [_create_meter(api) for _ in range(4)]
    calls = use_meters(meter_ids, generate_calls(schemathesis.openapi.from_path(DOCUMENT), CALLS, SEED), SEED)
    failures: list[str] = []
    statuses: Counter[int] = Counter()
    for call, response in _send(api, calls):
        statuses[response.status_code] += 1
        try:
            call.validate_response(response, checks=CHECKS)
        except FailureGroup as failure:
            failures.append(str(failure))
    _wait_for_executions(system)
    print(dict(sorted(statuses.items())))
    # Each failure has its curl command.
    assert not failures, f"{len(failures)} of {CALLS} calls, seed {SEED}. The first ones:\n\n" + "\n".join(failures[:5])
    assert statuses.total() == CALLS
    # The calls reached every kind of result.
    assert {200, 201, 400, 401, 404, 409} <= set(statuses)
