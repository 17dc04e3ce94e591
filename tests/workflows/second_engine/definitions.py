"""The definitions, with the values of their tokens."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from tests.workflows.asl import iter_states, load_workflow, with_fractions

ACCOUNT, REGION = "000000000000", "us-east-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
_TOKEN = re.compile(r"\$\{([\w:]+)\}")


def build_definition(workflow: Path) -> dict[str, Any]:
    """Return the definition in which each token of a state is the state's name, so that a call says who makes it.

    Waits are left out.
    """
    machine = load_workflow(workflow)
    for name, state in iter_states(machine):
        if state["Type"] == "Wait":
            state["Seconds"] = 0
        if state["Type"] == "Task":
            state.update(json.loads(_TOKEN.sub(partial(_substitute, name), json.dumps(state))))
    return with_fractions(machine)


def _substitute(state: str, token: re.Match[str]) -> str:
    if token[1].endswith("Partition"):
        return "aws"
    return FUNCTION + state if token[1].endswith("FunctionArn") else state
