"""Every ASL file, with a partition in its ARNs, passes AWS's language service, asl-validator and statelint.

``tests/infra/test_definitions.py`` has the definitions as they are deployed.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.workflows.asl import FILES, load_workflow, workflow_name
from tests.workflows.validators import list_problems

(GET_METER,) = [path for path in FILES if workflow_name(path) == "get_meter"]


def test_the_validators_report_nothing() -> None:
    texts = {workflow_name(path): path.read_text().replace("${Partition}", "aws") for path in FILES}
    assert list_problems(texts) == {}


def _set(*keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(machine: dict[str, Any]) -> None:
        *parents, last = keys
        for key in parents:
            machine = machine[key]
        machine[last] = value

    return change


EVERY = {"language service", "asl-validator", "statelint"}
# A mistake in a definition, and the validators that find it.
MISTAKES = {
    "the next state is missing": (_set("States", "ResolveApiKey", "Next", value="Nowhere"), EVERY),
    "a member is misspelled": (_set("States", "GetMeter", "TimeoutSecond", value=3), EVERY),
    "a number is a text": (_set("States", "GetMeter", "TimeoutSeconds", value="6"), EVERY),
    "a state is of an unknown type": (_set("States", "GetMeter", "Type", value="Job"), EVERY),
    "a path is invalid": (_set("States", "GetMeter", "ResultPath", value="response"), EVERY - {"language service"}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_validators_find_mistakes(mistake: str) -> None:
    machine = load_workflow(GET_METER)
    change, finders = MISTAKES[mistake]
    change(machine)
    (problems,) = list_problems({"broken": json.dumps(machine)}).values()
    assert {re.split("[,:]", problem)[0] for problem in problems} == finders
