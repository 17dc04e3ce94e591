"""Our metering in the control plane of the SaaS Builder Toolkit: the real one, synthesised through its bindings."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import functions, resources
from tests.infra.sbt.conftest import Sbt, Synthesised
from tests.packages import ROOT

AUTHORIZER = {"Ref": "ControlPlanecontrolPlaneApicontrolPlaneAPItenantsAuthorizer311EC9C0"}
READING = {"GET /meters", "GET /meters/{meterId}", "GET /usage/{meterId}"}
CHANGING = {"POST /meters", "PUT /meters/{meterId}", "DELETE /meters/{meterId}", "DELETE /usage"}
OURS = "AmberfloMetering"


def _routes(found: Synthesised) -> dict[str, Any]:
    """Properties of the routes of metering by their keys."""
    routes = resources(found.template, "AWS::ApiGatewayV2::Route").values()
    return {one["RouteKey"]: one for one in routes if re.search("/(meters|usage|ingest)", one["RouteKey"])}


def _integration(found: Synthesised, route: Any) -> Any:
    (name,) = re.findall(r'"Ref": "(\w+)"', json.dumps(route["Target"]))
    return found.template["Resources"][name]["Properties"]


def _logical_id(found: Synthesised, module: str) -> str:
    (name,) = [
        name
        for name, item in resources(found.template, "AWS::Lambda::Function").items()
        if item["Handler"] == f"amberflo_workflows.entrypoints.{module}.handler"
    ]
    return name


def _rules(found: Synthesised) -> dict[str, Any]:
    """The rules with a target of ours, by the first event name of their pattern."""
    rules = resources(found.template, "AWS::Events::Rule").values()
    return {one["EventPattern"]["detail-type"][0]: one for one in rules if OURS in json.dumps(one["Targets"])}


def test_all_seven_routes_are_on_its_api_behind_its_authorizer_and_end_in_our_function(wired: Synthesised) -> None:
    routes = _routes(wired)
    assert routes.keys() == READING | CHANGING
    for route in routes.values():
        integration = _integration(wired, route)
        assert integration["IntegrationUri"] == {"Fn::GetAtt": [_logical_id(wired, "api"), "Arn"]}
        assert integration["PayloadFormatVersion"] == "2.0"
        assert (route["AuthorizationType"], route["AuthorizerId"]) == ("JWT", AUTHORIZER)
        assert route.get("AuthorizationScopes", []) == []


def test_its_rules_hand_its_events_to_functions_that_forward_them(wired: Synthesised) -> None:
    rules = _rules(wired)
    sources = {
        kind: (rule["EventPattern"]["source"], rule["EventPattern"]["detail-type"]) for kind, rule in rules.items()
    }
    assert sources == {
        "ingestUsage": (["applicationPlaneEventSource"], ["ingestUsage"]),
        "onboardingRequest": (["controlPlaneEventSource"], ["onboardingRequest"]),
        "offboardingRequest": (["controlPlaneEventSource"], ["offboardingRequest"]),
    }
    leads_to = {
        "ingestUsage": ("QUEUE_URL", "IngestUsage"),
        "onboardingRequest": ("STATE_MACHINE_ARN", "WorkflowsCreateCustomer"),
        "offboardingRequest": ("STATE_MACHINE_ARN", "WorkflowsDeleteCustomer"),
    }
    for kind, rule in rules.items():
        (target,) = rule["Targets"]
        function = wired.template["Resources"][target["Arn"]["Fn::GetAtt"][0]]["Properties"]
        variable, resource = leads_to[kind]
        assert f"{OURS}{resource}" in json.dumps(function["Environment"]["Variables"][variable])
        kept = "IngestDeadLetters" if kind == "ingestUsage" else "TenantsDeadLetters"
        assert f"{OURS}{kept}" in json.dumps(function["DeadLetterConfig"])


def test_extended_it_counts_over_http_too_and_asks_for_the_scopes(extended: Synthesised) -> None:
    routes = _routes(extended)
    assert routes.keys() == READING | CHANGING | {"POST /ingest"}
    for key, route in routes.items():
        assert route["AuthorizationScopes"] == [f"tenant/tenant_{'read' if key in READING else 'write'}"]
        assert route["AuthorizerId"] == AUTHORIZER
        uri = _integration(extended, route)["IntegrationUri"]
        assert uri == {"Fn::GetAtt": [_logical_id(extended, "api"), "Arn"]}
    assert routes["POST /ingest"]["ApiId"] == routes["GET /meters"]["ApiId"]


def test_extended_its_events_of_both_generations_take_no_lambda_to_the_queue_and_the_workflows(
    extended: Synthesised,
) -> None:
    rules = _rules(extended)
    assert {kind: rule["EventPattern"] for kind, rule in rules.items()} == {
        kind: {"detail-type": [kind, f"sbt_aws_{kind}"]}
        for kind in ("ingestUsage", "onboardingRequest", "offboardingRequest")
    }
    targets = {kind: json.dumps(rule["Targets"][0]["Arn"]) for kind, rule in rules.items()}
    assert f"{OURS}IngestUsage" in targets["ingestUsage"]
    assert f"{OURS}WorkflowsCreateCustomer" in targets["onboardingRequest"]
    assert f"{OURS}WorkflowsDeleteCustomer" in targets["offboardingRequest"]
    assert all("SbtEventBus" in json.dumps(rule["EventBusName"]) for rule in rules.values())
    assert not {"usage_event", "tenant_event"} & functions(extended.template).keys()


def test_nothing_refers_to_what_was_taken_away(extended: Synthesised) -> None:
    known = {*extended.template["Resources"], *extended.template["Parameters"]}
    referred = {name for item in extended.template["Resources"].values() for name in _references(item)}
    assert [name for name in referred if name not in known and not name.startswith("AWS::")] == []


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "Ref" in value:
            yield value["Ref"]
        if "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def test_what_cdk_nag_finds_is_not_ours(wired: Synthesised, extended: Synthesised) -> None:
    for found in (wired, extended):
        # SBT's own pool, and functions on a runtime that was the newest of its day.
        assert all(one.startswith("/MyStack/ControlPlane/") for one in found.findings)
        assert len(found.findings) > 0, "the checks were not run"


def test_a_control_plane_that_was_given_no_metering_cannot_be_extended(sbt: Sbt) -> None:
    script = Path(__file__).with_name("synthesise.py")
    done = sbt.run(script, json.dumps({"out": str(sbt.folder / "plain"), "plain": True, "extend": True}))
    assert done.returncode == 1
    assert "no API or no metering where SBT 0.5 has them: give it metering=" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("example", ["sbt_control_plane"])
def test_the_example_synthesises(sbt: Sbt, example: str) -> None:
    script = ROOT / "examples" / example / "app.py"
    # Without Docker, as above.
    done = sbt.run(script, CDK_CONTEXT_JSON='{"aws:cdk:bundling-stacks": []}', CDK_OUTDIR=str(sbt.folder / example))
    assert done.returncode == 0, done.stderr
    template = json.loads((sbt.folder / example / "MyStack.template.json").read_text())
    assert len(resources(template, "AWS::StepFunctions::StateMachine")) == 11
