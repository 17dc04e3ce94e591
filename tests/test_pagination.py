"""AWS returns lists in pages, and the emulator mostly does not, so a list that is cut would pass every other test."""

import ast
from collections.abc import Iterator

import pytest

from amberflo_workflows.local.emulator import client
from amberflo_workflows.operate.loopback import LOOPBACK
from tests.packages import ROOT

PACKAGE = ROOT / "src" / "amberflo_workflows"
SERVICES = (
    *("apigatewayv2", "cloudformation", "cognito-idp", "dynamodb", "events", "lambda", "logs"),
    *("s3", "secretsmanager", "sqs", "ssm", "stepfunctions"),
)
# It returns at most a hundred resources, without a token for the others.
CUT = "describe_stack_resources"
# With the name of a stack the list has one element.
ONE_ELEMENT = ("describe_stacks", "StackName")
# Not an AWS client: the sandbox's database has a method of the same name.
OTHER_CLIENTS = ("sandbox",)


def _list_paged_operations() -> set[str]:
    clients = [client(f"http://{LOOPBACK}", service) for service in SERVICES]
    return {name for aws in clients for name in aws.meta.method_to_api_mapping if aws.can_paginate(name)}


def _find_calls(source: str, operations: set[str]) -> Iterator[str]:
    """Yield the names of the operations that are called directly, without a paginator."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in operations:
            keywords = {keyword.arg for keyword in node.keywords}
            if not (node.func.attr == ONE_ELEMENT[0] and ONE_ELEMENT[1] in keywords):
                yield node.func.attr


@pytest.fixture(scope="module")
def operations() -> set[str]:
    return {CUT, *_list_paged_operations()}


def test_every_list_is_read_with_a_paginator(operations: set[str]) -> None:
    # Folder by folder, since rglob follows no link below the folder where it starts.
    files = [path for folder in PACKAGE.iterdir() if folder.is_dir() for path in folder.rglob("*.py")]
    sources = {path.relative_to(PACKAGE): path.read_text() for path in files}
    assert {"infra", "entrypoints", "operate", "cli", "local"} <= {path.parts[0] for path in sources}
    calls = {
        str(path): names
        for path, text in sources.items()
        if path.parts[0] not in OTHER_CLIENTS and (names := list(_find_calls(text, operations)))
    }
    assert calls == {}


def test_a_call_without_a_paginator_is_noticed(operations: set[str]) -> None:
    source = """
client.describe_stack_resources(StackName="x")
client.describe_stacks(StackName="x")
client.describe_stacks()
client.get_paginator("scan").paginate(TableName="x")
client.scan(TableName="x")
client.get_item(TableName="x")
"""
    assert list(_find_calls(source, operations)) == ["describe_stack_resources", "describe_stacks", "scan"]
