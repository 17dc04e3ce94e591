"""The state machines as they are deployed, with all tokens substituted, pass the validators of ASL."""

import json
from typing import Any

from amberflo_workflows.infra.operations import OPERATIONS
from tests.infra.conftest import get_resources
from tests.infra.resolved import resolve_template
from tests.workflows.validators import list_problems

Templates = dict[str, dict[str, Any]]
EXPRESS_SECONDS = 300
MACHINE = "AWS::StepFunctions::StateMachine"


def _list_definitions(templates: Templates) -> dict[str, str]:
    return {
        f"{name}/{logical_id}": machine["DefinitionString"]
        for name, template in templates.items()
        for logical_id, machine in get_resources(resolve_template(template), MACHINE).items()
    }


def test_the_validators_report_nothing(variants: Templates, every_setting: Templates) -> None:
    definitions = _list_definitions(variants | every_setting)
    # One of the stacks has two of each.
    assert len(definitions) == len(OPERATIONS) * (len(variants) + len(every_setting) + 1)
    assert not [name for name, definition in definitions.items() if "${" in definition]
    # Most settings change nothing in most definitions.
    distinct = {text: name for name, text in definitions.items()}
    assert list_problems({name: text for text, name in distinct.items()}) == {}


def test_express_workflows_end_within_the_five_minutes_of_aws(aws: dict[str, Any]) -> None:
    seconds = {
        json.loads(machine["DefinitionString"])["TimeoutSeconds"]
        for machine in get_resources(aws, MACHINE).values()
        if machine["StateMachineType"] == "EXPRESS"
    }
    assert seconds == {25, 240}
    assert max(seconds) < EXPRESS_SECONDS
