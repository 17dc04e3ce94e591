import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.app import Target, synth
from amberflo_workflows.infra.settings import Settings
from tests.infra.every_setting import synth_every_setting
from tests.infra.variants import synth_variants
from tests.shared_folders import shared_folder

Templates = dict[str, dict[str, Any]]
STACK = Settings().stack_name
# The sandbox's URL is a setting, so that the local and the AWS template can be compared.
SETTINGS = Settings(amberflo_base_url="http://127.0.0.1:9")


def synth_template(folder: Path, target: Target, settings: Settings = SETTINGS) -> dict[str, Any]:
    template: dict[str, Any] = json.loads((synth(target, folder, settings) / f"{STACK}.template.json").read_text())
    return template


@pytest.fixture(scope="session")
def targets(run_folder: Path) -> Iterator[Templates]:
    """The templates of the standalone stack for AWS and for the local system, by the target."""
    with _shared_templates(run_folder, "targets", _synth_targets) as templates:
        yield templates


def _synth_targets(folder: Path) -> Templates:
    return {"aws": synth_template(folder / "aws", "aws"), "local": synth_template(folder / "local", "local")}


@pytest.fixture(scope="session")
def aws(targets: Templates) -> dict[str, Any]:
    return targets["aws"]


@pytest.fixture(scope="session")
def local(targets: Templates) -> dict[str, Any]:
    return targets["local"]


@pytest.fixture(scope="session")
def variants(run_folder: Path) -> Iterator[Templates]:
    """The templates of every kind of deployment, by the name of the stack."""
    with _shared_templates(run_folder, "variants", synth_variants) as templates:
        yield templates


@pytest.fixture(scope="session")
def every_setting(run_folder: Path) -> Iterator[Templates]:
    """The templates that together have another value than the default for every setting, and the deep one."""
    with _shared_templates(run_folder, "every-setting", synth_every_setting) as templates:
        yield templates


@contextmanager
def _shared_templates(run: Path, name: str, synthesise: Callable[[Path], Templates]) -> Iterator[Templates]:
    """Synthesise once for all processes."""

    def fill(folder: Path) -> None:
        (folder / "templates.json").write_text(json.dumps(synthesise(folder / "out")))

    with shared_folder(run, name, fill) as folder:
        yield json.loads((folder / "templates.json").read_text())


def get_resources(template: dict[str, Any], resource_type: str) -> dict[str, Any]:
    """Return the properties of the resources of a type, by logical id."""
    resources = template["Resources"].items()
    return {logical_id: item["Properties"] for logical_id, item in resources if item["Type"] == resource_type}


def get_event_rules(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the properties of the rules for events, without those of a schedule."""
    return [rule for rule in get_resources(template, "AWS::Events::Rule").values() if "EventPattern" in rule]


def get_functions(template: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of each function by the name of its module: ``create_meter``, ``api``…"""
    functions = get_resources(template, "AWS::Lambda::Function").values()
    return {function["Handler"].split(".")[-2]: function for function in functions}


def get_role_statements(template: dict[str, Any], role: str) -> list[tuple[list[str], str]]:
    """Return the actions and the resource of each statement of a role, given by its logical id."""
    statements = []
    for name, document in list_role_policies(template):
        for statement in document["Statement"] if name == role else []:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            statements.append((sorted(actions), json.dumps(statement["Resource"])))
    return statements


def list_role_policies(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """List the policies in roles and next to them, each with the logical id of its role."""
    for role, properties in get_resources(template, "AWS::IAM::Role").items():
        for policy in properties.get("Policies", []):
            yield role, policy["PolicyDocument"]
    for policy in get_resources(template, "AWS::IAM::Policy").values():
        for reference in policy["Roles"]:
            yield reference["Ref"], policy["PolicyDocument"]
