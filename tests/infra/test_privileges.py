"""Who may do what, from the synthesised template: all of it, so that nothing more and nothing less is granted.

To amend: ``ROLES`` has each role's resources with the actions on them, named as in the template less ``Metering`` and
the hash.
"""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.operations import OPERATIONS
from amberflo_workflows.infra.settings import Settings
from tests.infra.conftest import functions, resources, template

Grants = dict[str, str]

SECRET = "arn:_:secretsmanager:_:_:secret:AmberfloApiKey-??????"
RANGES = "arn:_:states:_:_:execution:WorkflowsBackfillUsage/*"
TRACES = "xray:PutTelemetryRecords xray:PutTraceSegments"
WILDCARDS = {
    "*": "X-Ray and the delivery of Step Functions' logs take no resource",
    SECRET: "Secrets Manager ends an ARN with six characters of its own, which a name does not tell",
    RANGES: "the executions of a distributed map get their names when they start",
    "AnswersLarge/*": "any object in the bucket that is there for large answers",
    "BackfillFiles/*": "any file in the bucket that is there for files",
}


def _function(name: str, **more: str) -> tuple[str, Grants]:
    own_log = "logs:CreateLogStream logs:PutLogEvents"
    return f"Functions{name}", {f"Functions{name}Log": own_log, "*": TRACES, **more}


def _task(name: str, **more: str) -> tuple[str, Grants]:
    return _function(name, **{SECRET: "secretsmanager:GetSecretValue"}, **more)


def _machine(name: str, *tasks: str, **more: str) -> tuple[str, Grants]:
    everywhere = (
        "logs:CreateLogDelivery logs:DeleteLogDelivery logs:DescribeLogGroups logs:DescribeResourcePolicies "
        "logs:GetLogDelivery logs:ListLogDeliveries logs:PutResourcePolicy logs:UpdateLogDelivery "
        f"xray:GetSamplingRules xray:GetSamplingTargets {TRACES}"
    )
    return f"Workflows{name}", {
        "*": everywhere,
        **{f"Functions{task}": "lambda:InvokeFunction" for task in tasks},
        **more,
    }


PARKS = {"IngestRejected": "dynamodb:PutItem"}
GIVES_UP = {"TenantsDeadLetters": "sqs:GetQueueAttributes sqs:GetQueueUrl sqs:SendMessage"}
STARTS = "states:StartSyncExecution"
ROLES: dict[str, Grants] = dict(
    [
        _task("ResolveApiKey"),
        _task("CreateMeter"),
        _task("GetMeter"),
        _task("UpdateMeter"),
        _task("DeleteMeter"),
        _task("CancelUsage"),
        _task("SendUsages"),
        _task("CreateCustomer"),
        _task("DeleteCustomer"),
        _task("ListMeters", **{"AnswersLarge/*": "s3:PutObject"}),
        _task("FetchUsage", **{"AnswersLarge/*": "s3:PutObject"}),
        _function(
            "Api",
            **{f"Workflows{operation.pascal_name}": STARTS for operation in OPERATIONS if operation.route},
            **PARKS,
            **{
                "IngestCallIdentities": "dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:UpdateItem",
                "AnswersLarge/*": "s3:DeleteObject s3:GetObject",
            },
        ),
        _function(
            "IngestQueue",
            WorkflowsIngestUsage=STARTS,
            **PARKS,
            IngestUsage="sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes sqs:GetQueueUrl "
            "sqs:ReceiveMessage",
        ),
        _function("BackfillPlan", **{"BackfillFiles/*": "s3:GetObject", "BackfillFiles": "s3:ListBucket"}),
        _function("BackfillSendRange", WorkflowsIngestUsage=STARTS, **PARKS, **{"BackfillFiles/*": "s3:GetObject"}),
        _function("BackfillSumUp"),
        _machine("CreateMeter", "ResolveApiKey", "CreateMeter"),
        _machine("ListMeters", "ResolveApiKey", "ListMeters"),
        _machine("GetMeter", "ResolveApiKey", "GetMeter"),
        _machine("UpdateMeter", "ResolveApiKey", "GetMeter", "UpdateMeter"),
        _machine("DeleteMeter", "ResolveApiKey", "GetMeter", "UpdateMeter", "DeleteMeter"),
        _machine("FetchUsage", "ResolveApiKey", "GetMeter", "FetchUsage"),
        _machine("CancelUsage", "ResolveApiKey", "CancelUsage"),
        _machine("IngestUsage", "ResolveApiKey", "SendUsages", **PARKS),
        _machine("CreateCustomer", "ResolveApiKey", "CreateCustomer", **PARKS, **GIVES_UP),
        _machine("DeleteCustomer", "ResolveApiKey", "DeleteCustomer", **PARKS, **GIVES_UP),
        _machine(
            "BackfillUsage",
            *("BackfillPlan", "BackfillSendRange", "BackfillSumUp"),
            WorkflowsBackfillUsage="states:StartExecution",
            **{RANGES: "states:DescribeExecution states:StopExecution"},
        ),
        ("WorkflowsCreateCustomerEvents", {"WorkflowsCreateCustomer": "states:StartExecution"}),
        ("WorkflowsDeleteCustomerEvents", {"WorkflowsDeleteCustomer": "states:StartExecution"}),
    ]
)
# What each kind of role is for.
ASSUMED_BY = {
    "Functions": "lambda.amazonaws.com",
    "Workflows": "states.amazonaws.com",
    "Events": "events.amazonaws.com",
}
VARIABLES = {
    *("AMBERFLO_API_KEY_FIELD", "AMBERFLO_API_KEY_SECRET_ID", "AMBERFLO_BASE_URL", "AMBERFLO_INGEST_URL"),
    *("ANSWERS_BUCKET_NAME", "IDEMPOTENCY_TABLE_NAME", "REJECTED_TABLE_NAME"),
    *("STATE_MACHINE_ARNS", "INGEST_USAGE_STATE_MACHINE_ARN"),
    *("POWERTOOLS_LOG_LEVEL", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME"),
}


def _name(logical_id: str) -> str:
    return re.sub(r"^Metering|[0-9A-F]{8}$", "", logical_id)


def _named(resource: Any) -> str:
    """A resource of a statement in words."""
    match resource:
        case str():
            return resource
        case [one]:
            return _named(one)
        case {"Ref": str(name)}:
            return "_" if name.startswith("AWS::") else _name(name)
        case {"Fn::GetAtt": [name, _]}:
            return _name(name)
        case {"Fn::Join": ["", parts]}:
            return "".join(_named(part) for part in parts)
    raise AssertionError(resource)


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _granted(found: dict[str, Any]) -> dict[str, Grants]:
    """What each role of a template may do."""
    granted: dict[str, dict[str, set[str]]] = {
        _name(role): defaultdict(set) for role in resources(found, "AWS::IAM::Role")
    }
    for policy in resources(found, "AWS::IAM::Policy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement.keys() == {"Action", "Effect", "Resource"}
            assert statement["Effect"] == "Allow"
            for role in policy["Roles"]:
                for resource in _listed(statement["Resource"]):
                    granted[_named(role)][_named(resource)].update(_listed(statement["Action"]))
    return {
        role.removesuffix("Role"): {resource: " ".join(sorted(actions)) for resource, actions in grants.items()}
        for role, grants in granted.items()
    }


def test_every_role_may_do_what_the_table_says_no_more_and_no_less(aws: dict[str, Any]) -> None:
    granted = _granted(aws)
    assert granted.keys() == ROLES.keys()
    for role, grants in ROLES.items():
        assert granted[role] == grants, role


def test_a_wildcard_has_a_reason_and_no_action_is_one(aws: dict[str, Any]) -> None:
    found = {resource: actions for grants in _granted(aws).values() for resource, actions in grants.items()}
    assert {resource for resource in found if re.search(r"[*?]", resource)} == WILDCARDS.keys()
    assert "*" not in "".join(found.values())


def test_a_role_is_for_one_service_and_has_no_policies_beside_the_table(aws: dict[str, Any]) -> None:
    for name, role in resources(aws, "AWS::IAM::Role").items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        kind = "Events" if "Events" in name else re.sub(r"(Functions|Workflows).*", r"\1", _name(name))
        assert statement["Principal"] == {"Service": ASSUMED_BY[kind]}, name
        assert not role.keys() & {"ManagedPolicyArns", "Policies"}, name
    for kind in ("AWS::IAM::ManagedPolicy", "AWS::IAM::User", "AWS::IAM::RolePolicy", "AWS::IAM::UserPolicy"):
        assert resources(aws, kind) == {}


def test_the_function_that_gives_scopes_at_sign_in_may_do_nothing_else(tmp_path: Path) -> None:
    settings = Settings(admin_email="ops@example.com", read_scope="metering/read", write_scope="metering/write")
    granted = _granted(template(tmp_path / "out", "aws", settings))
    assert granted.pop("FunctionsSignIn") == dict([_function("SignIn")])["FunctionsSignIn"]
    assert granted == ROLES


@pytest.mark.parametrize("kind", ["AWS::SQS::Queue", "AWS::S3::Bucket"])
def test_queues_and_buckets_take_encrypted_connections_only_and_senders_by_name(aws: dict[str, Any], kind: str) -> None:
    policies = resources(aws, f"{kind}Policy").values()
    named = [_named(name) for policy in policies for name in policy.get("Queues") or [policy["Bucket"]]]
    assert sorted(named) == sorted(_name(name) for name in resources(aws, kind))
    for policy in policies:
        deny, *allowed = policy["PolicyDocument"]["Statement"]
        assert (deny["Effect"], deny["Principal"]) == ("Deny", {"AWS": "*"})
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert deny["Action"] in {"sqs:*", "s3:*"}
        for statement in allowed:
            assert statement["Principal"] == {"Service": "events.amazonaws.com"}
            rule = _named(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
            assert rule in {_name(name) for name in resources(aws, "AWS::Events::Rule")}


def test_what_is_kept_is_encrypted_and_no_bucket_can_be_made_public(aws: dict[str, Any]) -> None:
    for bucket in resources(aws, "AWS::S3::Bucket").values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert all(queue["SqsManagedSseEnabled"] for queue in resources(aws, "AWS::SQS::Queue").values())
    assert all(table["SSESpecification"]["SSEEnabled"] for table in resources(aws, "AWS::DynamoDB::Table").values())


def test_only_our_api_may_call_the_function_behind_it(aws: dict[str, Any]) -> None:
    permissions = resources(aws, "AWS::Lambda::Permission").values()
    assert permissions
    for permission in permissions:
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert _named(permission["FunctionName"]) == "FunctionsApi"
        assert re.fullmatch(r"arn:_:execute-api:_:_:ApiHttpApi/\*/\*/[a-z]\S+", _named(permission["SourceArn"]))
        assert "FunctionUrlAuthType" not in permission
    assert resources(aws, "AWS::Lambda::Url") == {}


def test_every_log_group_forgets_and_every_writer_has_one(aws: dict[str, Any]) -> None:
    groups = resources(aws, "AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {30}
    writers = [
        _name(name)
        for kind in ("Lambda::Function", "StepFunctions::StateMachine")
        for name in resources(aws, f"AWS::{kind}")
    ]
    assert sorted(_name(name) for name in groups) == sorted([*(f"{name}Log" for name in writers), "ApiAccessLog"])


def test_no_secret_is_in_the_template_or_in_an_environment(aws: dict[str, Any]) -> None:
    for name, function in functions(aws).items():
        assert function["Environment"]["Variables"].keys() <= VARIABLES, name
    for step in ("ResolveApiKey", "SendUsages"):
        variables = functions(aws)[re.sub(r"(?<!^)(?=[A-Z])", "_", step).lower()]["Environment"]["Variables"]
        assert (variables["AMBERFLO_API_KEY_SECRET_ID"], variables["AMBERFLO_API_KEY_FIELD"]) == (
            "AmberfloApiKey",
            "apiKey",
        )
    text = json.dumps(aws)
    assert "{{resolve:" not in text
    assert resources(aws, "AWS::SecretsManager::Secret") == {}
    assert [name for name, item in aws.get("Parameters", {}).items() if "ssm" not in item["Type"].lower()] == []
