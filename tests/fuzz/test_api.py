"""Calls that nobody thought of, made up from the API's own document. With ``METERING_SOAK=1`` many, always others."""

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
from tests.fuzz.cases import Call, about, cases

pytestmark = pytest.mark.system

SOAK = bool(os.environ.get("METERING_SOAK"))
CALLS = 20_000 if SOAK else 1_000
SEED = random.SystemRandom().randrange(10**6) if SOAK else 1
AT_ONCE = 8
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def _new_meter(api: Api) -> str:
    name = f"meter-{uuid.uuid4()}"
    answer = api.call("POST", "meters", {**METER, "label": name, "meterApiName": name, "dimensions": ["region"]})
    return str(answer.body["data"]["id"])


def _answered(api: Api, made_up: Iterator[Call]) -> Iterator[tuple[Call, Response]]:
    def answer(case: Call) -> Response:
        headers = {"Authorization": f"Bearer {api.token}"}
        return case.call(base_url=api.system.api_endpoint.rstrip("/"), headers=headers, timeout=60)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        while some := list(islice(made_up, 200)):
            yield from zip(some, pool.map(answer, some), strict=True)


def test_no_call_breaks_the_api_and_every_answer_is_one_of_those_in_the_document(system: System) -> None:
    print(f"\n{CALLS:,} calls, seed {SEED}")
    api = Api(system)
    meter_ids = [_new_meter(api) for _ in range(4)]
    made_up = about(meter_ids, cases(schemathesis.openapi.from_path(DOCUMENT), CALLS, SEED), SEED)
    failures: list[str] = []
    statuses: Counter[int] = Counter()
    for case, response in _answered(api, made_up):
        statuses[response.status_code] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as failure:
            failures.append(str(failure))
    print(dict(sorted(statuses.items())))
    # Each with its curl command.
    assert not failures, f"{len(failures)} of {CALLS} calls, seed {SEED}; the first:\n\n" + "\n".join(failures[:5])
    assert statuses.total() == CALLS
    # They got everywhere.
    assert {200, 201, 400, 401, 404, 409} <= set(statuses)
