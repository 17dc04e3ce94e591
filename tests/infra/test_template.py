import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.memory import MEMORY_MB, get_memory_mb
from amberflo_workflows.infra.node import use_packaged_node
from amberflo_workflows.infra.operations import OPERATIONS, Operation, OperationKind, find_task_timeout, list_routes
from amberflo_workflows.infra.settings import InvalidSetting, Settings
from tests.infra.conftest import (
    Templates,
    get_event_rules,
    get_functions,
    get_resources,
    get_role_statements,
    synth_template,
)

use_packaged_node()

from aws_cdk import Stack  # noqa: E402 - Node has to be set first
from aws_cdk.aws_logs import RetentionDays  # noqa: E402 - as above

from amberflo_workflows.infra.state_machines import StateMachines  # noqa: E402 - as above

pytestmark = pytest.mark.long

TABLE = "AWS::DynamoDB::Table"


def _get_machines(template: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of each state machine by its workflow, recognised by the comment of its definition."""
    machines = get_resources(template, "AWS::StepFunctions::StateMachine").values()
    by_comment = {json.loads(operation.definition)["Comment"]: operation.name for operation in OPERATIONS}
    return {by_comment[json.loads(machine["DefinitionString"])["Comment"]]: machine for machine in machines}


def test_the_local_template_differs_only_in_the_runtime(aws: dict[str, Any], local: dict[str, Any]) -> None:
    for template in (aws := copy.deepcopy(aws), local := copy.deepcopy(local)):
        for name, function in get_functions(template).items():
            runtime, architectures = function.pop("Runtime"), function.pop("Architectures")
            assert runtime == ("provided.al2023" if template is local else "python3.13"), name
            assert len(architectures) == 1
            # The bundle has byte code and binaries for its runtime, so its hash differs.
            assert function.pop("Code").keys() == {"S3Bucket", "S3Key"}
    assert len(get_functions(aws)) == 33
    assert aws == local


def _read_meter_check(template: dict[str, Any]) -> tuple[str, str]:
    """Whether the step checks the names of meters, and whether the output says so."""
    variables = get_functions(template)["send_usages"]["Environment"]["Variables"]
    return variables["AMBERFLO_CHECK_METER_NAMES"], template["Outputs"]["ChecksMeterNames"]["Value"]


def test_the_names_of_meters_are_checked_by_default(aws: dict[str, Any]) -> None:
    assert _read_meter_check(aws) == ("true", "true")


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("false", False), ("False", False), (False, False)])
def test_the_setting_is_true_or_false(text: Any, expected: bool) -> None:
    assert Settings.from_context({"checkMeterNames": text}.get).check_meter_names is expected


def test_every_route_has_the_authorizer_and_invokes_the_api_function(aws: dict[str, Any]) -> None:
    routes = get_resources(aws, "AWS::ApiGatewayV2::Route").values()
    assert {route["RouteKey"] for route in routes} == {
        "GET /openapi.json",
        *(f"{route.method} {route.path}" for route in list_routes().values()),
    }
    assert {route["AuthorizationType"] for route in routes} == {"JWT"}
    (authorizer,) = get_resources(aws, "AWS::ApiGatewayV2::Authorizer")
    assert all(route["AuthorizerId"] == {"Ref": authorizer} for route in routes)
    (integration,) = get_resources(aws, "AWS::ApiGatewayV2::Integration").values()
    assert integration["PayloadFormatVersion"] == "2.0"
    assert "Api" in json.dumps(integration["IntegrationUri"])


def test_every_token_of_a_definition_has_a_value(aws: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        machine = _get_machines(aws)[operation.name]
        assert set(machine["DefinitionSubstitutions"]) == operation.tokens
        assert json.loads(machine["DefinitionString"]) == json.loads(operation.definition)


def test_a_token_that_nothing_provides_stops_the_synthesis() -> None:
    class Strange(Operation):
        definition = '{"Comment": "${StrangeTableName}", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'

    machines = StateMachines(
        Stack(),
        "Machines",
        retention=RetentionDays.ONE_DAY,
        ingest_log="ALL_WITHOUT_DATA",
        trace_ingest=False,
        deployment_name="Stack/Metering",
    )
    with pytest.raises(InvalidSetting, match="StrangeTableName"):
        machines.add(Strange("strange", OperationKind.SYNCHRONOUS), {}, {"OtherName": "x"})


def test_every_workflow_file_is_an_operation() -> None:
    files = Path(__file__).parents[2].joinpath("workflows").glob("*.asl.json")
    assert {path.name.removesuffix(".asl.json") for path in files} == {operation.name for operation in OPERATIONS}


def test_type_tracing_and_logging_depend_on_the_kind_of_workflow(aws: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        machine = _get_machines(aws)[operation.name]
        logging = machine["LoggingConfiguration"]
        standard = operation.kind in {OperationKind.BACKFILL, OperationKind.TENANT, OperationKind.LEDGER}
        is_ingest = operation.kind is OperationKind.INGEST
        assert machine["StateMachineType"] == ("STANDARD" if standard else "EXPRESS")
        assert machine["TracingConfiguration"] == {"Enabled": not is_ingest}
        assert logging["Level"] == ("ERROR" if is_ingest else "ALL")
        assert logging["IncludeExecutionData"]


def _list_sampled(template: dict[str, Any]) -> set[str]:
    """The functions whose calls X-Ray samples. The others follow what called them."""
    return {name for name, item in get_functions(template).items() if item["TracingConfig"] == {"Mode": "Active"}}


def test_x_ray_samples_http_calls_only(aws: dict[str, Any]) -> None:
    assert _list_sampled(aws) == {"api"}


def test_functions_have_a_longer_timeout_than_the_states_that_call_them(aws: dict[str, Any]) -> None:
    by_module = get_functions(aws)
    for operation in OPERATIONS:
        for task in operation.tasks:
            module = re.sub(r"(?<!^)(?=[A-Z])", "_", task).lower().replace("backfill_send_range", "send_range")
            assert by_module[module]["Timeout"] == find_task_timeout(task) + 1
    assert by_module["api"]["Timeout"] < 30
    assert by_module["ingest_queue"]["Timeout"] > 240


def test_the_memory_of_each_function_is_in_the_table(aws: dict[str, Any]) -> None:
    functions = get_resources(aws, "AWS::Lambda::Function").items()
    names = {logical_id: re.search(r"Functions(\w+)[0-9A-F]{8}$", logical_id) for logical_id, _ in functions}
    memory = {match[1]: function["MemorySize"] for logical_id, function in functions if (match := names[logical_id])}
    assert memory == {name: get_memory_mb(name) for name in memory}
    assert len(memory) == len(get_functions(aws))
    # Others are in stacks with SBT's constructs only.
    assert MEMORY_MB.keys() <= memory.keys() | {"UsageEvent", "CreateCustomerEvent", "DeleteCustomerEvent"}


def test_queues_and_tables_keep_their_data(aws: dict[str, Any]) -> None:
    queues = get_resources(aws, "AWS::SQS::Queue")
    (usage,) = [queue for queue in queues.values() if "RedrivePolicy" in queue]
    (mapping,) = get_resources(aws, "AWS::Lambda::EventSourceMapping").values()
    window = mapping["MaximumBatchingWindowInSeconds"]
    assert usage["VisibilityTimeout"] == 6 * get_functions(aws)["ingest_queue"]["Timeout"] + window
    assert usage["RedrivePolicy"]["maxReceiveCount"] == 5
    assert {queue["MessageRetentionPeriod"] for queue in queues.values()} == {14 * 86_400}
    assert {queue["SqsManagedSseEnabled"] for queue in queues.values()} == {True}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (mapping["BatchSize"], window) == (1000, 20)
    stores = {name: item for name, item in aws["Resources"].items() if item["Type"] in {"AWS::SQS::Queue", TABLE}}
    # What a rolled back deployment has created is deleted: it holds no usage, and would be in the way of the next one.
    deleted = {name for name, item in stores.items() if item["DeletionPolicy"] != "RetainExceptOnCreate"}
    assert {item["UpdateReplacePolicy"] for name, item in stores.items() if name not in deleted} == {"Retain"}
    assert [name for name in deleted if not re.search("CallIdentities|MeterLocks", name)] == []
    assert len(stores) == 6


def test_rules_match_both_generations_of_event_names_and_have_dead_letter_queues(aws: dict[str, Any]) -> None:
    rules = get_event_rules(aws)
    assert sorted(rule["EventPattern"]["detail-type"] for rule in rules) == [
        ["ingestUsage", "sbt_aws_ingestUsage"],
        ["offboardingRequest", "sbt_aws_offboardingRequest"],
        ["onboardingRequest", "sbt_aws_onboardingRequest"],
    ]
    assert all(rule["EventPattern"].keys() == {"detail-type"} for rule in rules)
    assert all("DeadLetterConfig" in target for rule in rules for target in rule["Targets"])


def test_the_schedule_reconciles_the_day_that_amberflo_reports_in_full(aws: dict[str, Any]) -> None:
    (rule,) = [rule for rule in get_resources(aws, "AWS::Events::Rule").values() if "ScheduleExpression" in rule]
    (target,) = rule["Targets"]
    # At 04:30, the day until midnight, which is four hours ago.
    assert rule["ScheduleExpression"] == "cron(30 4 * * ? *)"
    assert "ReconcileUsage" in json.dumps(target["Arn"])
    assert target["InputTransformer"]["InputTemplate"] == '{"schedule":{"hours":24,"time":<time>}}'


@pytest.mark.parametrize(
    ("hours", "lag_hours", "expression"),
    [
        (1, 4, "cron(30 * * * ? *)"),
        (6, 4, "cron(30 4/6 * * ? *)"),
        (6, 8, "cron(30 2/6 * * ? *)"),
        (24, 30, "cron(30 6 * * ? *)"),
    ],
)
def test_the_schedule_starts_when_its_hours_are_reported(
    tmp_path: Path, hours: int, lag_hours: int, expression: str
) -> None:
    settings = Settings(reconcile_hours=hours, reconcile_lag_hours=lag_hours)
    template = synth_template(tmp_path / "out", "aws", settings)
    rules = get_resources(template, "AWS::Events::Rule").values()
    assert [rule["ScheduleExpression"] for rule in rules if "ScheduleExpression" in rule] == [expression]
    variables = get_functions(template)["list_unsorted"]["Environment"]["Variables"]
    assert variables["RECONCILIATION_LAG_SECONDS"] == str(lag_hours * 3600)


def test_a_month_is_closed_on_a_day_of_the_next(tmp_path: Path) -> None:
    template = synth_template(tmp_path / "out", "aws", Settings(reconcile_hours=0, close_period_day=3))
    (rule,) = [rule for rule in get_resources(template, "AWS::Events::Rule").values() if "ScheduleExpression" in rule]
    assert rule["ScheduleExpression"] == "cron(30 6 3 * ? *)"
    (target,) = rule["Targets"]
    assert "ClosePeriod" in json.dumps(target["Arn"])
    assert target["InputTransformer"]["InputTemplate"] == '{"schedule":{"time":<time>}}'


def test_without_hours_there_is_no_schedule(tmp_path: Path) -> None:
    template = synth_template(tmp_path / "out", "aws", Settings(reconcile_hours=0))
    assert all("EventPattern" in rule for rule in get_resources(template, "AWS::Events::Rule").values())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reconcile_hours": 5}, "reconcileHours must be 0, 1, 2, 3, 4, 6, 8, 12 or 24, not 5"),
        ({"close_period_day": 29}, "closePeriodDay must be between 1 and 28, .* not 29"),
        ({"reconcile_lag_hours": -1}, "reconcileLagHours must be between 0 and 168, not -1"),
        ({"reconcile_lag_hours": 169}, "reconcileLagHours must be between 0 and 168, not 169"),
    ],
)
def test_invalid_schedules(values: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        Settings(**values)  # type: ignore[arg-type]


def test_every_alarm_has_a_description(aws: dict[str, Any]) -> None:
    alarms = get_resources(aws, "AWS::CloudWatch::Alarm").values()
    assert all(len(alarm["AlarmDescription"]) > 80 for alarm in alarms)


def test_the_ingest_host_is_used_with_the_default_base_url_only(variants: Templates) -> None:
    assert Settings().ingest_url == "https://ingest.amberflo.io"
    assert Settings(amberflo_base_url="https://example.com").ingest_url == "https://example.com"
    variables = get_functions(variants["Plain"])["send_usages"]["Environment"]["Variables"]
    assert variables["AMBERFLO_BASE_URL"] == "https://app.amberflo.io"
    assert variables["AMBERFLO_INGEST_URL"] == "https://ingest.amberflo.io"


def test_existing_resources_in_the_settings_are_used(tmp_path: Path) -> None:
    settings = Settings(
        issuer="https://issuer.example.com",
        audience=("clients",),
        event_bus_name="theirs",
        event_sources=("my.app",),
        alarm_email="ops@example.com",
        secret_kms_key_arn="arn:aws:kms:us-east-1:000000000000:key/k",
        ingest_log="ALL_WITHOUT_DATA",
        ingest_window_seconds=0,
        trace_ingest=True,
        check_meter_names=False,
    )
    template = synth_template(tmp_path / "out", "aws", settings)
    for resource_type in ("AWS::Cognito::UserPool", "AWS::Events::EventBus"):
        assert get_resources(template, resource_type) == {}
    (authorizer,) = get_resources(template, "AWS::ApiGatewayV2::Authorizer").values()
    assert authorizer["JwtConfiguration"] == {"Audience": ["clients"], "Issuer": "https://issuer.example.com"}
    rules = get_event_rules(template)
    assert {rule["EventBusName"] for rule in rules} == {"theirs"}
    sources = {rule["EventPattern"]["detail-type"][0]: rule["EventPattern"].get("source") for rule in rules}
    assert sources == {"ingestUsage": ["my.app"], "onboardingRequest": None, "offboardingRequest": None}
    assert all("AlarmActions" in alarm for alarm in get_resources(template, "AWS::CloudWatch::Alarm").values())
    role = get_functions(template)["send_usages"]["Role"]["Fn::GetAtt"][0]
    assert "kms:Decrypt" in json.dumps(get_role_statements(template, role))
    machine = _get_machines(template)["ingest_usage"]
    logging = machine["LoggingConfiguration"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ALL", False)
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert _list_sampled(template) == {"api", "ingest_queue"}
    # Lambda accepts no larger batches without a window.
    (mapping,) = get_resources(template, "AWS::Lambda::EventSourceMapping").values()
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (10, 0)
    assert _read_meter_check(template) == ("false", "false")


def test_provisioned_pollers_replace_the_limit_of_concurrency(every_setting: dict[str, Any]) -> None:
    (mapping,) = get_resources(every_setting["AllAttached"], "AWS::Lambda::EventSourceMapping").values()
    assert mapping["ProvisionedPollerConfig"] == {"MinimumPollers": 2, "MaximumPollers": 2000}
    assert "ScalingConfig" not in mapping
    (mapping,) = get_resources(every_setting["AllWithIssuer"], "AWS::Lambda::EventSourceMapping").values()
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 1000}
    assert "ProvisionedPollerConfig" not in mapping
