"""The API key is in no place but Secrets Manager, after every use of it and every failure that could expose it."""

import base64
import gzip
import html
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.operations import OPERATIONS
from amberflo_workflows.local.deploy import put_secret
from amberflo_workflows.local.system import SECRET, System, running_system
from amberflo_workflows.operate.executions.examples import FILE, build_example_input
from tests.attackers.key_search import Search, find_encodings, read_files, read_places
from tests.conftest import sandbox_of
from tests.entrypoints.calls import METER, Api
from tests.entrypoints.test_api import ROUTES
from tests.polling import wait_until
from tests.workflows.runner import STANDARD, Runner

pytestmark = [pytest.mark.system, pytest.mark.long]

ENCODERS: dict[str, Callable[[str], str | bytes]] = {
    "plain": lambda key: key,
    "base64": lambda key: base64.b64encode(key.encode()),
    "base64-after-1-byte": lambda key: base64.b64encode(b"x" + key.encode()),
    "base64-after-2-bytes": lambda key: base64.b64encode(b"xx" + key.encode() + b"x"),
    "urlsafe-base64": lambda key: base64.urlsafe_b64encode(b"{" + key.encode()),
    "hex": lambda key: key.encode().hex(),
    "hex-uppercase": lambda key: key.encode().hex().upper(),
    "percent-encoded": lambda key: urllib.parse.quote(key, safe=""),
    "json": json.dumps,
    "json-in-json": lambda key: json.dumps(json.dumps({"key": key})),
    "html": html.escape,
    "gzip": lambda key: b"before" + gzip.compress(json.dumps(key).encode()) + b"after",
    "gzip-in-base64": lambda key: base64.b64encode(gzip.compress(key.encode())),
    "gzip-twice": lambda key: gzip.compress(gzip.compress(key.encode())),
}  # fmt: skip


@dataclass(frozen=True)
class SearchResult:
    """All places of a run, and the encodings of the key and of the planted mark in each place that has them."""

    key: dict[str, set[str]]
    planted: dict[str, set[str]]
    places: set[str]
    responses: list[str] = field(repr=False)


def _key(core: str) -> str:
    """A key with the most awkward characters that a header allows.

    The search looks for ``core``, because no encoding escapes letters and digits.
    """
    return f'k"{core}\\<&>/+ %='


def _set_key(system: System, key: str) -> None:
    put_secret(system.emulator, SECRET, {"apiKey": key})
    sandbox_of(system).set_keys([key])


def _call_every_route(api: Api, responses: list[str]) -> None:
    meter = api.call("POST", "meters", {**METER, "label": str(uuid.uuid4()), "meterApiName": uuid.uuid4().hex})
    meter_id = meter.body["data"]["id"] if meter.status == 201 else "x"
    for method, path, body in ROUTES:
        response = api.call(method, path.replace("{id}", meter_id), body)
        responses.append(f"{response.body} {response.headers}")


def _send_events(system: System) -> None:
    """Run every workflow that takes an event, and the one that takes a file."""
    usage: dict[str, Any] = {"tenantId": "acme", "meterApiName": "by-event", "meterValue": 1}
    tenant = {"tenantId": "acme", "tenantName": "Acme"}
    sandbox_of(system).create_meters("by-event")
    details = [("ingestUsage", usage), ("onboardingRequest", tenant), ("offboardingRequest", tenant)]
    entries = [
        {
            "EventBusName": system.outputs["EventBusName"],
            "Source": "x",
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
        }
        for detail_type, detail in details
    ]
    assert system.client("events").put_events(Entries=entries)["FailedEntryCount"] == 0
    bucket = system.outputs["BackfillBucketName"]
    system.client("s3").put_object(Bucket=bucket, Key=FILE, Body=json.dumps(usage).encode())
    for workflow in sorted(STANDARD):
        assert (
            Runner(system, endpoint=None)
            .run(workflow, build_example_input(workflow, system.outputs, time.time()))
            .output
        )
    assert wait_until(lambda: sandbox_of(system).totals("by-event") == {"acme": 1})
    assert wait_until(lambda: "acme" in sandbox_of(system).customers())


def _provoke_failures(system: System, api: Api, key: str, responses: list[str]) -> None:
    """Have Amberflo and Secrets Manager return the key in every error that they can."""
    message = f"You sent X-API-KEY: {key} and Authorization: Basic {base64.b64encode(key.encode()).decode()}"
    echo = {"kind": "status", "body": json.dumps({"errorMessage": f"You sent the header X-API-KEY: {key}."})}
    for fault in (
        {"kind": "wrong_key"},
        {"kind": "status", "status": 401, "body": json.dumps({"message": message})},
        {"kind": "garbage", "body": message},
        {"kind": "status", "status": 500, "body": message},
        {"kind": "redirect", "headers": {"Location": f"http://127.0.0.1:9/?key={urllib.parse.quote(key, safe='')}"}},
        {**echo, "status": 400},
    ):
        sandbox_of(system).set_faults([fault])
        for method, path, body in (ROUTES[0], ROUTES[-1]):
            response = api.call(method, path, body)
            responses.append(f"{response.body} {response.headers}")
    sandbox_of(system).clear_faults()
    manager = system.client("secretsmanager")
    # Warm steps cache the key, and read the secret again when Amberflo rejects it.
    sandbox_of(system).set_keys(["another"])
    for text in (
        json.dumps({"other": key}),
        f"not JSON: {key}",
        json.dumps([key]),
        json.dumps({"apiKey": f"{key}\u20ac"}),
    ):
        manager.put_secret_value(SecretId=SECRET, SecretString=text)
        response = api.call("GET", "meters")
        assert response.status == 502
        responses.append(f"{response.body} {response.headers}")
    _set_key(system, key)


def _plant(system: System, api: Api, folder: Path, mark: str) -> str:
    """Put a mark into each kind of place. Returns a response that contains it."""
    Runner(system, endpoint=None).run("get_meter", {"meterId": mark})
    now, group = int(time.time() * 1000), "planted"
    system.client("logs").create_log_group(logGroupName=group)
    system.client("logs").create_log_stream(logGroupName=group, logStreamName="s")
    lines = [{"timestamp": now, "message": mark}]
    system.client("logs").put_log_events(logGroupName=group, logStreamName="s", logEvents=lines)
    system.client("sqs").send_message(QueueUrl=system.outputs["TenantDeadLetterQueueUrl"], MessageBody=mark)
    item = {"id": {"S": "planted"}, "original": {"B": gzip.compress(mark.encode())}}
    system.client("dynamodb").put_item(TableName=system.outputs["RejectedTableName"], Item=item)
    system.client("s3").put_object(Bucket=system.outputs["BackfillBucketName"], Key="planted", Body=mark.encode())
    (folder / "planted").write_text(mark)
    return str(api.call("GET", f"meters/{mark}").body)


def _search(places: Iterator[tuple[str, bytes]], core: Search, mark: Search) -> SearchResult:
    result = SearchResult({}, {}, set(), [])
    for place, data in places:
        result.places.add(place)
        for search, matches in ((core, result.key), (mark, result.planted)):
            if encodings := search.find_encodings(data):
                matches[place] = encodings
    return result


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    folder, since = tmp_path_factory.mktemp("key"), time.time()
    core, mark = secrets.token_hex(12), secrets.token_hex(12)
    searches = (Search(core), Search(mark))
    responses: list[str] = []
    with running_system(folder, wait_scale=0) as system:
        api = Api(system)
        first, second = f"1st {_key(core)}", f"2nd {_key(core)}"
        _set_key(system, first)
        _call_every_route(api, responses)
        _set_key(system, second)
        _send_events(system)
        _provoke_failures(system, api, second, responses)
        responses.append(_plant(system, api, folder, mark))
        environment = {**os.environ, "PLANTED": mark}
        with subprocess.Popen([sys.executable, "-c", "input()", mark], stdin=subprocess.PIPE, env=environment) as child:
            running = _search(read_places(system, folder, since), *searches)
            child.communicate(b"\n")
    # The emulator and the sandbox write files when they stop.
    stopped = _search(read_files(folder), *searches)
    in_responses = _search(iter([("responses", "\n".join(responses).encode())]), *searches)
    return SearchResult(
        {**running.key, **stopped.key, **in_responses.key},
        {**running.planted, **stopped.planted, **in_responses.planted},
        running.places | stopped.places,
        responses,
    )


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS.keys())
def test_finds_a_key_in_any_encoding(encode: Callable[[str], str | bytes]) -> None:
    core = secrets.token_hex(12)
    text = encode(_key(core))
    data = text.encode() if isinstance(text, str) else text
    assert find_encodings(b"some text \x1f\x8b\x08 before" + data + b"H4sIAAAA and some after", core)
    assert not find_encodings(data, secrets.token_hex(12))


def test_finds_a_planted_mark_in_every_kind_of_place(result: SearchResult) -> None:
    kinds = {place.split()[0] for place in result.planted}
    assert kinds >= {"execution", "log", "queue", "table", "object", "file", "command", "environment", "responses"}
    assert {"gzip"} in result.planted.values()


def test_searches_every_kind_of_place(result: SearchResult) -> None:
    kinds = [place.split()[0] for place in result.places]
    assert kinds.count("execution") > 20
    assert kinds.count("machine") == len(OPERATIONS)
    assert kinds.count("function") >= 16
    assert kinds.count("queue") == 3
    assert {"template", "sandbox", "file"} <= set(kinds)
    names = {Path(place.removeprefix("file ")).name for place in result.places if place.startswith("file ")}
    assert {"AmberfloMetering.template.json", "emulator.log", "sandbox.log", "sandbox.duckdb"} <= names
    assert sum("(the API key)" in response for response in result.responses) >= 2


def test_the_key_is_only_in_secrets_manager(result: SearchResult) -> None:
    # The emulator stores the secret in this file, and `make down` deletes it.
    assert {Path(place).name: encodings for place, encodings in result.key.items()} == {
        "secretsmanager.json": {"plain"}
    }
