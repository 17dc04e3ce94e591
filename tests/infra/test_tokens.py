"""Values that are known at the deployment only, and buses whose name decides what their metrics are called."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from amberflo_workflows.infra.node import use_packaged_node

use_packaged_node()

from aws_cdk import App, CfnParameter, Fn, Stack, Token  # noqa: E402 - needs use_packaged_node first
from aws_cdk import aws_events as events  # noqa: E402 - as above
from aws_cdk import aws_ssm as ssm  # noqa: E402 - as above
from aws_cdk.aws_apigatewayv2 import HttpApi  # noqa: E402 - as above

from amberflo_workflows.infra.metering import AmberfloMetering  # noqa: E402 - as above
from amberflo_workflows.infra.monitoring import Monitoring  # noqa: E402 - as above
from amberflo_workflows.infra.settings import InvalidSetting, Runtime, Settings, is_known  # noqa: E402 - as above
from amberflo_workflows.infra.stack import MeteringStack  # noqa: E402 - as above
from tests.infra.apps import create_app  # noqa: E402 - as above
from tests.infra.conftest import get_event_rules, get_functions, get_resources  # noqa: E402 - as above

SOURCES: Final[dict[str, Callable[[Stack, str], str]]] = {
    "parameter": lambda stack, name: CfnParameter(stack, f"{name}Parameter").value_as_string,
    "ssm": lambda stack, name: ssm.StringParameter.value_for_string_parameter(stack, f"/metering/{name}"),
    "import": lambda _, name: Fn.import_value(f"Theirs{name}"),
}
RULES: Final = ("UsageEvents", "CreateCustomerEvents", "DeleteCustomerEvents")


def _synth(folder: Path, build: Callable[[App], Stack]) -> dict[str, Any]:
    app = create_app(folder / "out")
    stack = build(app)
    app.synth()
    template: dict[str, Any] = json.loads((folder / "out" / f"{stack.stack_name}.template.json").read_text())
    return template


@pytest.mark.parametrize("source", SOURCES)
def test_a_construct_accepts_values_of_the_deployment(tmp_path: Path, source: str) -> None:
    def build(app: App) -> Stack:
        stack = Stack(app, "Own")
        value = SOURCES[source]
        bus = events.EventBus.from_event_bus_name(stack, "Bus", value(stack, "Bus"))
        metering = AmberfloMetering(
            stack,
            "Metering",
            amberflo_base_url=value(stack, "Url"),
            amberflo_api_key_secret_id=value(stack, "Field"),
            event_bus=bus,
            event_sources=(value(stack, "Source"),),
        )
        Monitoring(stack, "Monitoring", metering=metering, http_api=HttpApi(stack, "Api"), topic=None)
        return stack

    template = _synth(tmp_path, build)
    variables = get_functions(template)["send_usages"]["Environment"]["Variables"]
    url = variables["AMBERFLO_BASE_URL"]
    assert json.dumps(url).count("Url") == 1
    # Amberflo takes usage at its base URL too.
    assert variables["AMBERFLO_INGEST_URL"] == url
    assert "Field" in json.dumps(variables["AMBERFLO_API_KEY_FIELD"])
    (usage,) = [rule for rule in get_event_rules(template) if "source" in rule["EventPattern"]]
    assert "Source" in json.dumps(usage["EventPattern"]["source"])


def test_every_setting_of_a_stack_accepts_values_of_the_deployment(tmp_path: Path) -> None:
    names = ("amberflo_base_url", "amberflo_ingest_url", "event_bus_name", "issuer", "alarm_email")

    def build(app: App) -> Stack:
        # A parameter is of a stack, and the settings are passed when it is created, so an import stands for all.
        values: dict[str, Any] = {name: Fn.import_value(name.replace("_", "")) for name in names}
        audience = tuple(Fn.split(",", Fn.import_value("audience")))
        settings = Settings(**values, audience=audience, read_scope=Fn.import_value("readscope"))
        return MeteringStack(app, "Own", settings=settings, runtime=Runtime())

    text = json.dumps(_synth(tmp_path, build))
    for name in (*names, "audience", "read_scope"):
        assert json.dumps({"Fn::ImportValue": name.replace("_", "")}) in text, name


def test_what_is_known_at_synthesis_is_checked() -> None:
    for text in (Fn.import_value("X"), f"https://{Fn.import_value('X')}", *Fn.split(",", Fn.import_value("X"))):
        assert not is_known(text)
        assert Token.is_unresolved([text]) or Token.is_unresolved(text)
    with pytest.raises(InvalidSetting, match="amberfloBaseUrl must be an https URL, not 'http://x'"):
        AmberfloMetering(Stack(App(), "Own"), "Metering", amberflo_base_url="http://x")


def _find_alarm_dimensions(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The dimensions of the alarms of rules, by the part of the alarm's logical id that names the rule."""
    alarms = get_resources(template, "AWS::CloudWatch::Alarm").items()
    return {
        logical_id: {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
        for logical_id, alarm in alarms
        if alarm.get("MetricName") == "InvocationsFailedToBeSentToDlq"
    }


def _evaluate(value: Any, rule_arn: str, parameter: str) -> Any:
    """Evaluate the functions of CloudFormation in a dimension for a rule's ARN and the value of the one parameter."""
    match value:
        case {"Fn::Select": [index, items]}:
            return _evaluate(items, rule_arn, parameter)[int(index)]
        case {"Fn::Split": [separator, text]}:
            return _evaluate(text, rule_arn, parameter).split(separator)
        case {"Fn::Join": [separator, items]}:
            return separator.join(_evaluate(item, rule_arn, parameter) for item in items)
        case {"Fn::GetAtt": _}:
            return rule_arn
        case {"Ref": _}:
            return parameter
    return value


RULE = "arn:aws:events:us-east-1:111122223333:rule/"
BUS = "arn:aws:events:us-east-1:111122223333:event-bus/"


@pytest.mark.parametrize("by_arn", [False, True])
def test_a_rule_has_the_right_alarm_whatever_bus_a_parameter_names(tmp_path: Path, by_arn: bool) -> None:
    def build(app: App) -> Stack:
        stack = Stack(app, "Own")
        value = CfnParameter(stack, "Bus").value_as_string
        find = events.EventBus.from_event_bus_arn if by_arn else events.EventBus.from_event_bus_name
        metering = AmberfloMetering(stack, "Metering", event_bus=find(stack, "TheirBus", value))
        Monitoring(stack, "Monitoring", metering=metering, http_api=HttpApi(stack, "Api"), topic=None)
        return stack

    alarms = _find_alarm_dimensions(_synth(tmp_path, build))
    assert len(alarms) == 2 * len(RULES)
    for bus, rule_arn in (("default", f"{RULE}Rule"), ("theirs", f"{RULE}theirs/Rule")):
        parameter = f"{BUS}{bus}" if by_arn else bus
        for logical_id, dimensions in alarms.items():
            actual = {name: _evaluate(value, rule_arn, parameter) for name, value in dimensions.items()}
            named = {} if "OnDefaultBus" in logical_id else {"EventBusName": bus}
            assert actual == {**named, "RuleName": "Rule"}


@pytest.mark.parametrize(
    ("name", "rule_arn", "expected"),
    [
        ("default", f"{RULE}Rule", {"RuleName": "Rule"}),
        ("theirs", f"{RULE}theirs/Rule", {"EventBusName": "theirs", "RuleName": "Rule"}),
        ("aws.partner/x/y", f"{RULE}aws.partner/x/y/Rule", {"EventBusName": "aws.partner/x/y", "RuleName": "Rule"}),
    ],
)
def test_a_bus_with_a_known_name_has_one_alarm_for_each_rule(
    tmp_path: Path, name: str, rule_arn: str, expected: dict[str, str]
) -> None:
    template = _synth(
        tmp_path, lambda app: MeteringStack(app, "Own", settings=Settings(event_bus_name=name), runtime=Runtime())
    )
    alarms = _find_alarm_dimensions(template)
    assert len(alarms) == len(RULES)
    for dimensions in alarms.values():
        assert {key: _evaluate(value, rule_arn, "") for key, value in dimensions.items()} == expected
