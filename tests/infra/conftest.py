import json
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.app import Target, synth
from amberflo_workflows.infra.settings import Settings

STACK = Settings().stack_name
# The address of the sandbox is a setting, not a difference of the target.
SETTINGS = Settings(amberflo_base_url="http://127.0.0.1:9")


def template(folder: Path, target: Target, settings: Settings = SETTINGS) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((synth(target, folder, settings) / f"{STACK}.template.json").read_text())
    return loaded


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return template(tmp_path_factory.mktemp("aws") / "out", "aws")


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return template(tmp_path_factory.mktemp("local") / "out", "local")


def resources(template: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: item["Properties"] for name, item in template["Resources"].items() if item["Type"] == kind}


def functions(template: dict[str, Any]) -> dict[str, Any]:
    """Properties of each function by its module: ``create_meter``, ``api``…"""
    found = resources(template, "AWS::Lambda::Function").values()
    return {item["Handler"].split(".")[-2]: item for item in found}


def role_statements(template: dict[str, Any], role: str) -> list[tuple[list[str], str]]:
    """Actions and resource of every statement of a role, by the role's logical id."""
    statements = []
    for policy in resources(template, "AWS::IAM::Policy").values():
        if {"Ref": role} in policy["Roles"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                statements.append((sorted(actions), json.dumps(statement["Resource"])))
    return statements
