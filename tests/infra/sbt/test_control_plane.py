"""Our metering in the real control plane of the SaaS Builder Toolkit, synthesised with its bindings."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.operations import OPERATIONS, list_routes
from tests.infra import cfn_lint, iam_lint
from tests.infra.conftest import get_event_rules, get_functions, get_resources
from tests.infra.resolved import resolve_template
from tests.infra.sbt.conftest import ControlPlaneAssembly, SbtEnvironment
from tests.infra.sizes import measure
from tests.packages import ROOT

pytestmark = pytest.mark.long

AUTHORIZER = {"Ref": "ControlPlanecontrolPlaneApicontrolPlaneAPItenantsAuthorizer311EC9C0"}
READ_ROUTES = {"GET /meters", "GET /meters/{meterId}", "GET /usage/{meterId}"}
WRITE_ROUTES = {"POST /meters", "PUT /meters/{meterId}", "DELETE /meters/{meterId}", "DELETE /usage"}
# Those that SBT's interface does not have.
OWN_ROUTES = {f"{route.method} {route.path}" for route in list_routes().values()} - READ_ROUTES - WRITE_ROUTES
PREFIX = "AmberfloMetering"


def _get_routes(assembly: ControlPlaneAssembly) -> dict[str, Any]:
    """Return the properties of the routes of metering by their keys."""
    routes = get_resources(assembly.template, "AWS::ApiGatewayV2::Route").values()
    return {
        route["RouteKey"]: route
        for route in routes
        if re.search("/(meters|customers|usage|ingest|reconciliations|replays|periods)", route["RouteKey"])
    }


def _get_integration(assembly: ControlPlaneAssembly, route: Any) -> Any:
    (name,) = re.findall(r'"Ref": "(\w+)"', json.dumps(route["Target"]))
    return assembly.template["Resources"][name]["Properties"]


def _get_logical_id(assembly: ControlPlaneAssembly, module: str) -> str:
    (name,) = [
        name
        for name, item in get_resources(assembly.template, "AWS::Lambda::Function").items()
        if item["Handler"] == f"amberflo_workflows.entrypoints.{module}.handler"
    ]
    return name


def _get_rules(assembly: ControlPlaneAssembly) -> dict[str, Any]:
    """Return the rules with a target of ours, by the first detail type of their pattern."""
    rules = get_event_rules(assembly.template)
    return {rule["EventPattern"]["detail-type"][0]: rule for rule in rules if PREFIX in json.dumps(rule["Targets"])}


def test_all_seven_routes_have_its_authorizer_and_invoke_our_function(unextended: ControlPlaneAssembly) -> None:
    routes = _get_routes(unextended)
    assert routes.keys() == READ_ROUTES | WRITE_ROUTES
    for route in routes.values():
        integration = _get_integration(unextended, route)
        assert integration["IntegrationUri"] == {"Fn::GetAtt": [_get_logical_id(unextended, "api"), "Arn"]}
        assert integration["PayloadFormatVersion"] == "2.0"
        assert (route["AuthorizationType"], route["AuthorizerId"]) == ("JWT", AUTHORIZER)
        assert route.get("AuthorizationScopes", []) == []


def test_its_rules_invoke_functions_that_forward_the_events(unextended: ControlPlaneAssembly) -> None:
    rules = _get_rules(unextended)
    sources = {
        detail_type: (rule["EventPattern"]["source"], rule["EventPattern"]["detail-type"])
        for detail_type, rule in rules.items()
    }
    assert sources == {
        "ingestUsage": (["applicationPlaneEventSource"], ["ingestUsage"]),
        "onboardingRequest": (["controlPlaneEventSource"], ["onboardingRequest"]),
        "offboardingRequest": (["controlPlaneEventSource"], ["offboardingRequest"]),
    }
    targets = {
        "ingestUsage": ("QUEUE_URL", "IngestUsage"),
        "onboardingRequest": ("STATE_MACHINE_ARN", "WorkflowsCreateCustomer"),
        "offboardingRequest": ("STATE_MACHINE_ARN", "WorkflowsDeleteCustomer"),
    }
    for detail_type, rule in rules.items():
        (target,) = rule["Targets"]
        function = unextended.template["Resources"][target["Arn"]["Fn::GetAtt"][0]]["Properties"]
        variable, resource = targets[detail_type]
        assert f"{PREFIX}{resource}" in json.dumps(function["Environment"]["Variables"][variable])
        queue = "IngestDeadLetters" if detail_type == "ingestUsage" else "TenantsDeadLetters"
        assert f"{PREFIX}{queue}" in json.dumps(function["DeadLetterConfig"])


def test_extend_adds_our_other_routes_and_routes_require_the_scopes(extended: ControlPlaneAssembly) -> None:
    routes = _get_routes(extended)
    assert routes.keys() == READ_ROUTES | WRITE_ROUTES | OWN_ROUTES
    for key, route in routes.items():
        assert route["AuthorizationScopes"] == [f"tenant/tenant_{'read' if key.startswith('GET') else 'write'}"]
        assert route["AuthorizerId"] == AUTHORIZER
        uri = _get_integration(extended, route)["IntegrationUri"]
        assert uri == {"Fn::GetAtt": [_get_logical_id(extended, "api"), "Arn"]}
    assert routes["POST /ingest"]["ApiId"] == routes["GET /meters"]["ApiId"]


def test_extend_adds_rules_for_both_generations_without_lambdas(
    extended: ControlPlaneAssembly,
) -> None:
    rules = _get_rules(extended)
    assert {detail_type: rule["EventPattern"] for detail_type, rule in rules.items()} == {
        detail_type: {"detail-type": [detail_type, f"sbt_aws_{detail_type}"]}
        for detail_type in ("ingestUsage", "onboardingRequest", "offboardingRequest")
    }
    targets = {detail_type: json.dumps(rule["Targets"][0]["Arn"]) for detail_type, rule in rules.items()}
    assert f"{PREFIX}IngestUsage" in targets["ingestUsage"]
    assert f"{PREFIX}WorkflowsCreateCustomer" in targets["onboardingRequest"]
    assert f"{PREFIX}WorkflowsDeleteCustomer" in targets["offboardingRequest"]
    assert all("SbtEventBus" in json.dumps(rule["EventBusName"]) for rule in rules.values())
    assert not {"usage_event", "tenant_event"} & get_functions(extended.template).keys()


def test_extend_leaves_no_reference_to_removed_resources(extended: ControlPlaneAssembly) -> None:
    known = {*extended.template["Resources"], *extended.template["Parameters"]}
    references = {name for item in extended.template["Resources"].values() for name in _find_references(item)}
    assert [name for name in references if name not in known and not name.startswith("AWS::")] == []


def _find_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "Ref" in value:
            yield value["Ref"]
        if "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
        for inner in value.values():
            yield from _find_references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _find_references(inner)


def test_cdk_nag_has_no_findings_on_our_constructs(
    unextended: ControlPlaneAssembly, extended: ControlPlaneAssembly
) -> None:
    for assembly in (unextended, extended):
        # SBT's own user pool, and its functions, whose runtime is no longer the latest.
        assert [path for path in assembly.findings if not path.startswith("/MyStack/ControlPlane/")] == []
        assert len(assembly.findings) > 0, "the checks were not run"


def test_extend_rejects_a_control_plane_without_metering(sbt: SbtEnvironment) -> None:
    assert "no API or no metering where SBT 0.5 has them. Pass metering=" in sbt.read_results()["plain"]["error"]


@pytest.mark.parametrize("example", ["sbt_control_plane"])
def test_the_example_synthesises(sbt: SbtEnvironment, example: str) -> None:
    script = ROOT / "examples" / example / "app.py"
    # Without bundling in Docker.
    result = sbt.run(script, CDK_CONTEXT_JSON='{"aws:cdk:bundling-stacks": []}', CDK_OUTDIR=str(sbt.folder / example))
    assert result.returncode == 0, result.stderr
    template = json.loads((sbt.folder / example / "MyStack.template.json").read_text())
    assert len(get_resources(template, "AWS::StepFunctions::StateMachine")) == len(OPERATIONS)


def _select_ours(assembly: ControlPlaneAssembly) -> set[str]:
    """Select our resources, and those of the control plane that are about them: permissions, routes and rules."""
    resources = assembly.template["Resources"].items()
    kinds = ("AWS::Lambda::Permission", "AWS::Events::Rule")
    about_ours = {name for name, item in resources if item["Type"] in kinds and PREFIX in json.dumps(item)}
    return about_ours | {name for name, _ in resources if name.startswith(PREFIX)}


def test_the_linters_report_nothing_about_our_resources(
    unextended: ControlPlaneAssembly, extended: ControlPlaneAssembly, tmp_path: Path
) -> None:
    templates = {"unextended": unextended.template, "extended": extended.template}
    for name, findings in cfn_lint.list_findings(tmp_path, templates).items():
        own = [item for item in findings if item.rule not in cfn_lint.SUPPRESSED and "ControlPlane" not in item.path]
        assert own == [], name
    for assembly in (unextended, extended):
        policies = list(iam_lint.list_policies(resolve_template(assembly.template, _select_ours(assembly))))
        assert len(policies) > 60
        permissions = [finding for policy in policies for finding in iam_lint.list_findings(policy)]
        assert [finding for finding in permissions if finding[:2] not in iam_lint.SUPPRESSED] == []


def test_our_resources_are_within_the_limits_of_aws(
    unextended: ControlPlaneAssembly, extended: ControlPlaneAssembly
) -> None:
    for assembly in (unextended, extended):
        sizes = measure(assembly.template, _select_ours(assembly))
        assert "policy of a function" in {size.what for size in sizes}
        assert [size for size in sizes if size.size > size.limit] == []
