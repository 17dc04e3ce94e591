"""The secret by name, ARN or construct: a task may read that secret only, and reads it by what the policy allows."""

import fnmatch
from collections.abc import Callable
from typing import Any

import pytest

from amberflo_workflows.infra.node import use_packaged_node
from amberflo_workflows.infra.settings import InvalidSetting, Settings

use_packaged_node()

from aws_cdk import CfnParameter, Stack, aws_kms, aws_lambda  # noqa: E402 - needs use_packaged_node first
from aws_cdk.assertions import Template  # noqa: E402 - as above
from aws_cdk.aws_secretsmanager import ISecret, Secret  # noqa: E402 - as above

from amberflo_workflows.infra.api_key_secret import find_secret  # noqa: E402 - as above

PREFIX = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"
ACCOUNT = {"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012"}
# The end of the name looks like the random characters of an ARN.
NAME = "prod/amberflo-apikey"
ARN = f"{PREFIX}{NAME}-AbCdE9"
OTHERS = [f"{PREFIX}{name}-AbCdE9" for name in ("prod/amberflo", "prod/amberflo-apikey-2", "prod/amberflo-apikeys")]
KEY = "arn:aws:kms:eu-central-1:123456789012:key/k"


def _evaluate(value: Any, references: dict[str, str]) -> Any:
    """Evaluate CloudFormation's functions."""
    match value:
        case {"Ref": name}:
            return references[name]
        case {"Fn::Join": [separator, parts]}:
            return separator.join(_evaluate(part, references) for part in parts)
        case {"Fn::Split": [separator, text]}:
            return _evaluate(text, references).split(separator)
        case {"Fn::Select": [index, parts]}:
            return _evaluate(parts, references)[int(index)]
        case list():
            return [_evaluate(item, references) for item in value]
    return value


def _deploy(secret: Callable[[Stack], str | ISecret], **references: str) -> tuple[str, list[str], list[str]]:
    """Return the id that a task reads, the resources that it may read, and the keys with which it may decrypt."""
    stack = Stack()
    task = aws_lambda.Function(
        stack, "Task", code=aws_lambda.Code.from_inline("-"), handler="a.b", runtime=aws_lambda.Runtime.PYTHON_3_13
    )
    reference = find_secret(stack, secret(stack))
    task.add_environment("SECRET", reference.id)
    reference.allow_to_read(task)
    resources = Template.from_stack(stack).to_json()["Resources"].values()
    properties = {resource["Type"]: resource["Properties"] for resource in resources}
    values = ACCOUNT | references
    read = _evaluate(properties["AWS::Lambda::Function"]["Environment"]["Variables"]["SECRET"], values)
    granted: dict[str, list[str]] = {"secretsmanager:GetSecretValue": [], "kms:Decrypt": []}
    for statement in properties["AWS::IAM::Policy"]["PolicyDocument"]["Statement"]:
        resource = _evaluate(statement["Resource"], values)
        granted[statement["Action"]] += resource if isinstance(resource, list) else [resource]
    return read, granted["secretsmanager:GetSecretValue"], granted["kms:Decrypt"]


def _may_read(resources: list[str], arn: str) -> bool:
    return any(fnmatch.fnmatchcase(arn, resource) for resource in resources)


def _add_parameter(stack: Stack) -> str:
    return CfnParameter(stack, "Secret").value_as_string


def _import_with_key(stack: Stack) -> ISecret:
    key = aws_kms.Key.from_key_arn(stack, "Key", KEY)
    return Secret.from_secret_attributes(stack, "S", secret_complete_arn=ARN, encryption_key=key)


@pytest.mark.parametrize(
    ("secret", "parameter", "expected"),
    [
        (lambda _stack: NAME, "", NAME),
        (lambda _stack: ARN, "", ARN),
        (lambda _stack: PREFIX + NAME, "", PREFIX + NAME),
        (_add_parameter, NAME, NAME),
        (_add_parameter, ARN, ARN),
        (lambda stack: f"prod/{_add_parameter(stack)}", "amberflo-apikey", NAME),
        (lambda stack: Secret.from_secret_name_v2(stack, "S", NAME), "", NAME),
        (lambda stack: Secret.from_secret_complete_arn(stack, "S", ARN), "", ARN),
        (lambda stack: Secret.from_secret_complete_arn(stack, "S", _add_parameter(stack)), ARN, ARN),
        (_import_with_key, "", ARN),
    ],
)
def test_a_task_may_read_the_secret_that_it_reads_and_no_other(
    secret: Callable[[Stack], str | ISecret], parameter: str, expected: str
) -> None:
    actual, resources, keys = _deploy(secret, Secret=parameter)
    assert actual == expected
    assert _may_read(resources, ARN)
    assert [arn for arn in OTHERS if _may_read(resources, arn)] == []
    # IAM accepts ARNs only.
    assert all(resource.startswith("arn:aws:secretsmanager:") for resource in resources)
    assert keys == ([KEY] if secret is _import_with_key else [])


def test_a_task_may_read_a_secret_of_its_own_stack() -> None:
    stack = Stack()
    secret = Secret(stack, "Own")
    reference = find_secret(stack, secret)
    assert reference.id == secret.secret_arn
    assert reference.arns == (secret.secret_arn,)


@pytest.mark.parametrize(
    "secret", ["", " ", "two words", "arn:aws:s3:::bucket", f"{PREFIX}", f"{PREFIX}a b", "a:b", "n" * 513, None, 5]
)
def test_anything_else_is_rejected(secret: Any) -> None:
    with pytest.raises(InvalidSetting, match=r"amberflo_?[aA]pi_?[kK]ey_?[sS]ecret_?[nN]ame must be"):
        find_secret(Stack(), secret)


def test_the_field_of_the_secret_cannot_be_empty() -> None:
    with pytest.raises(InvalidSetting, match="amberfloApiKeySecretId must be"):
        Settings.from_context({"amberfloApiKeySecretId": ""}.get)
