"""The API key is searched for, after all that it is used for was done and all that can go wrong with it went wrong."""

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

from amberflo_workflows.local.deploy import put_secret
from amberflo_workflows.local.system import SECRET, System, running_system
from amberflo_workflows.operate.executions.examples import FILE, example_input
from tests.attackers.key_search import files, forms_found, places
from tests.conftest import sandbox_of
from tests.entrypoints.calls import METER, Api
from tests.entrypoints.test_api import ROUTES
from tests.polling import soon
from tests.workflows.runner import STANDARD, Runner

pytestmark = pytest.mark.system

FORMS: dict[str, Callable[[str], str | bytes]] = {
    "plain": lambda key: key,
    "in base64": lambda key: base64.b64encode(key.encode()),
    "in base64 behind one byte": lambda key: base64.b64encode(b"x" + key.encode()),
    "in base64 behind two bytes": lambda key: base64.b64encode(b"xx" + key.encode() + b"x"),
    "in base64 for addresses": lambda key: base64.urlsafe_b64encode(b"{" + key.encode()),
    "in hex": lambda key: key.encode().hex(),
    "in capital hex": lambda key: key.encode().hex().upper(),
    "in an address": lambda key: urllib.parse.quote(key, safe=""),
    "in JSON": json.dumps,
    "in JSON in JSON": lambda key: json.dumps(json.dumps({"key": key})),
    "in HTML": html.escape,
    "compressed": lambda key: b"before" + gzip.compress(json.dumps(key).encode()) + b"after",
    "compressed, in base64": lambda key: base64.b64encode(gzip.compress(key.encode())),
    "compressed twice": lambda key: gzip.compress(gzip.compress(key.encode())),
}  # fmt: skip


@dataclass(frozen=True)
class Searched:
    """A run that is over: what was found where, of the key and of what was planted."""

    key: dict[str, set[str]]
    planted: dict[str, set[str]]
    places: set[str]
    answers: list[str] = field(repr=False)


def _key(core: str) -> str:
    """A key as awkward as a header allows; its core is what is searched for, since nothing escapes letters."""
    return f'k"{core}\\<&>/+ %='


def _put_in_force(system: System, key: str) -> None:
    put_secret(system.emulator, SECRET, {"apiKey": key})
    sandbox_of(system).set_keys([key])


def _use(api: Api, answers: list[str]) -> None:
    """Every operation that has a route."""
    meter = api.call("POST", "meters", {**METER, "label": str(uuid.uuid4()), "meterApiName": uuid.uuid4().hex})
    meter_id = meter.body["data"]["id"] if meter.status == 201 else "x"
    for method, path, body in ROUTES:
        answer = api.call(method, path.replace("{id}", meter_id), body)
        answers.append(f"{answer.body} {answer.headers}")


def _send_events(system: System) -> None:
    """Every operation that takes an event, and the one for files."""
    usage: dict[str, Any] = {"tenantId": "acme", "meterApiName": "by-event", "meterValue": 1}
    tenant = {"tenantId": "acme", "tenantName": "Acme"}
    details = [("ingestUsage", usage), ("onboardingRequest", tenant), ("offboardingRequest", tenant)]
    entries = [
        {
            "EventBusName": system.outputs["EventBusName"],
            "Source": "x",
            "DetailType": kind,
            "Detail": json.dumps(detail),
        }
        for kind, detail in details
    ]
    assert system.client("events").put_events(Entries=entries)["FailedEntryCount"] == 0
    bucket = system.outputs["BackfillBucketName"]
    system.client("s3").put_object(Bucket=bucket, Key=FILE, Body=json.dumps(usage).encode())
    for workflow in sorted(STANDARD):
        assert Runner(system, endpoint=None).run(workflow, example_input(workflow, system.outputs, time.time())).output
    assert soon(lambda: sandbox_of(system).totals("by-event") == {"acme": 1})
    assert soon(lambda: "acme" in sandbox_of(system).customers())


def _go_wrong(system: System, api: Api, key: str, answers: list[str]) -> None:
    """Everything that Amberflo and Secrets Manager can do with the key in their hands."""
    said = f"You sent X-API-KEY: {key} and Authorization: Basic {base64.b64encode(key.encode()).decode()}"
    echo = {"kind": "status", "body": json.dumps({"errorMessage": f"You sent the header X-API-KEY: {key}."})}
    for fault in (
        {"kind": "wrong_key"},
        {"kind": "status", "status": 401, "body": json.dumps({"message": said})},
        {"kind": "garbage", "body": said},
        {"kind": "status", "status": 500, "body": said},
        {"kind": "redirect", "headers": {"Location": f"http://127.0.0.1:9/?key={urllib.parse.quote(key, safe='')}"}},
        {**echo, "status": 400},
    ):
        sandbox_of(system).set_faults([fault])
        for method, path, body in (ROUTES[0], ROUTES[-1]):
            answer = api.call(method, path, body)
            answers.append(f"{answer.body} {answer.headers}")
    sandbox_of(system).clear_faults()
    manager = system.client("secretsmanager")
    # Warm steps keep to the key that they have: Amberflo's refusal makes them ask anew.
    sandbox_of(system).set_keys(["another"])
    for text in (
        json.dumps({"other": key}),
        f"not JSON: {key}",
        json.dumps([key]),
        json.dumps({"apiKey": f"{key}\u20ac"}),
    ):
        manager.put_secret_value(SecretId=SECRET, SecretString=text)
        answer = api.call("GET", "meters")
        assert answer.status == 502
        answers.append(f"{answer.body} {answer.headers}")
    _put_in_force(system, key)


def _plant(system: System, api: Api, folder: Path, mark: str) -> str:
    """A mark in each kind of place; the answer that it comes back in."""
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


def _searched(found: Iterator[tuple[str, bytes]], core: str, mark: str) -> Searched:
    searched = Searched({}, {}, set(), [])
    for place, data in found:
        searched.places.add(place)
        for secret, where in ((core, searched.key), (mark, searched.planted)):
            if forms := forms_found(data, secret):
                where[place] = forms
    return searched


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    folder, since, core, mark = (
        tmp_path_factory.mktemp("key"),
        time.time(),
        secrets.token_hex(12),
        secrets.token_hex(12),
    )
    answers: list[str] = []
    with running_system(folder, wait_scale=0) as system:
        api = Api(system)
        first, second = f"1st {_key(core)}", f"2nd {_key(core)}"
        _put_in_force(system, first)
        _use(api, answers)
        _put_in_force(system, second)
        _send_events(system)
        _go_wrong(system, api, second, answers)
        answers.append(_plant(system, api, folder, mark))
        environment = {**os.environ, "PLANTED": mark}
        with subprocess.Popen([sys.executable, "-c", "input()", mark], stdin=subprocess.PIPE, env=environment) as child:
            found = _searched(places(system, folder, since), core, mark)
            child.communicate(b"\n")
    # What the emulator and the sandbox write when they end.
    later = _searched(files(folder), core, mark)
    of_answers = _searched(iter([("answers", "\n".join(answers).encode())]), core, mark)
    return Searched(
        {**found.key, **later.key, **of_answers.key},
        {**found.planted, **later.planted, **of_answers.planted},
        found.places | later.places,
        answers,
    )


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_finds_a_key_in_any_encoding(form: Callable[[str], str | bytes]) -> None:
    core = secrets.token_hex(12)
    text = form(_key(core))
    data = text.encode() if isinstance(text, str) else text
    assert forms_found(b"something \x1f\x8b\x08 before it" + data + b"H4sIAAAA and behind", core)
    assert not forms_found(data, secrets.token_hex(12))


def test_finds_a_planted_mark_in_every_kind_of_place(searched: Searched) -> None:
    kinds = {place.split()[0] for place in searched.planted}
    assert kinds >= {"execution", "log", "queue", "table", "object", "file", "command", "environment", "answers"}
    assert {"gzip"} in searched.planted.values()


def test_searches_every_kind_of_place(searched: Searched) -> None:
    kinds = [place.split()[0] for place in searched.places]
    assert kinds.count("execution") > 20
    assert kinds.count("machine") == 11
    assert kinds.count("function") >= 16
    assert kinds.count("queue") == 3
    assert {"template", "sandbox", "file"} <= set(kinds)
    names = {Path(place.removeprefix("file ")).name for place in searched.places if place.startswith("file ")}
    assert {"AmberfloMetering.template.json", "emulator.log", "sandbox.log", "sandbox.duckdb"} <= names
    assert sum("(the API key)" in answer for answer in searched.answers) >= 2


def test_the_key_is_only_in_secrets_manager(searched: Searched) -> None:
    # The state of Secrets Manager, which `make down` deletes.
    assert {Path(place).name: forms for place, forms in searched.key.items()} == {"secretsmanager.json": {"plain"}}
