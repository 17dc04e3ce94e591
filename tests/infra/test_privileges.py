"""The permissions of every role in the synthesised template, compared with a complete table.

After a change of permissions, edit ``ROLES``: for each role its resources, with the actions on each. Names are logical
ids without the prefix ``Metering`` and without the hash.
"""

import re
from pathlib import Path
from typing import Any

from amberflo_workflows.core import sent_files
from amberflo_workflows.infra import backfill
from amberflo_workflows.infra.operations import OPERATIONS
from amberflo_workflows.infra.settings import Settings
from tests.infra.conftest import get_resources, synth_template
from tests.infra.grants import Grants, collect_grants, render_resource, strip_hash

SECRET = "arn:_:secretsmanager:_:_:secret:AmberfloApiKey-??????"
# The workflows with a distributed map.
DISTRIBUTED = ("BackfillUsage", "ReconcileUsage", "ReplayUsage")
EXECUTION = "arn:_:states:_:_:execution:Workflows"
READ_PREFIXES = ("receipts/", "sorted/", "rules/", "index/", "sorted-until.json")
LEDGER_PREFIXES = ("sorted/", "rules/", "index/", "sorted-until.json", "reconciliations/")
TRACES = "xray:PutTelemetryRecords xray:PutTraceSegments"
WILDCARDS = {
    "*": "X-Ray, CloudWatch's metrics and log delivery do not support resource-level permissions",
    SECRET: "Secrets Manager appends six random characters to the ARN of a secret",
    **{f"{EXECUTION}{name}:*": "executions get their names when they start" for name in (*DISTRIBUTED, "ClosePeriod")},
    **{f"{EXECUTION}{name}/*": "as for other executions" for name in DISTRIBUTED},
    "AnswersLarge/*": "any object in the bucket for large responses",
    "BackfillFiles/*": "any object in the bucket for files to backfill",
    "BackfillFiles/sent/*": "how files were sent",
    "LedgerReceipts/receipts/*": "Firehose chooses the names of objects",
    **{f"LedgerReceipts/{prefix}*": "the ledger's own objects" for prefix in LEDGER_PREFIXES},
    "LedgerReceipts/errors/*": "as for receipts",
}


def _expect_function(name: str, **grants: str) -> tuple[str, Grants]:
    own_log = "logs:CreateLogStream logs:PutLogEvents"
    return f"Functions{name}", {f"Functions{name}Log": own_log, "*": TRACES, **grants}


def _expect_task(name: str, **grants: str) -> tuple[str, Grants]:
    return _expect_function(name, **{SECRET: "secretsmanager:GetSecretValue"}, **grants)


def _expect_machine(name: str, *tasks: str, **grants: str) -> tuple[str, Grants]:
    log_delivery = (
        "logs:CreateLogDelivery logs:DeleteLogDelivery logs:DescribeLogGroups logs:DescribeResourcePolicies "
        "logs:GetLogDelivery logs:ListLogDeliveries logs:PutResourcePolicy logs:UpdateLogDelivery"
    )
    # X-Ray does not sample queued usage, unless the setting says so.
    sampling = "" if name == "IngestUsage" else f" xray:GetSamplingRules xray:GetSamplingTargets {TRACES}"
    return f"Workflows{name}", {
        "*": log_delivery + sampling,
        **{f"Functions{task}": "lambda:InvokeFunction" for task in tasks},
        **grants,
    }


def _expect_children(name: str) -> Grants:
    return {
        f"Workflows{name}": "states:StartExecution",
        f"{EXECUTION}{name}:*": "states:DescribeExecution states:StopExecution",
        f"{EXECUTION}{name}/*": "states:DescribeExecution states:RedriveExecution states:StopExecution",
    }


def _expect_reader(name: str, *written: str, **grants: str) -> tuple[str, Grants]:
    """A function that reads the ledger, and writes some of its objects."""
    actions = {f"LedgerReceipts/{prefix}*": ["s3:GetObject"] for prefix in READ_PREFIXES}
    for prefix in written:
        actions.setdefault(f"LedgerReceipts/{prefix}*", []).append("s3:PutObject")
    objects = {resource: " ".join(names) for resource, names in actions.items()}
    return _expect_function(name, LedgerReceipts="s3:ListBucket", **objects, **grants)


STORE_REJECTED = {"IngestRejected": "dynamodb:PutItem"}
READ_REPORTS = {"LedgerReceipts/reconciliations/*": "s3:GetObject"}
SEND_DEAD_LETTERS = {"TenantsDeadLetters": "sqs:GetQueueAttributes sqs:GetQueueUrl sqs:SendMessage"}
CHANGE_METER = ("ResolveApiKey", "LockMeter", "GetMeter", "UpdateMeter")
UNLOCK = {"MeterLocks": "dynamodb:DeleteItem"}
START = "states:StartSyncExecution"
ROLES: dict[str, Grants] = dict(
    [
        _expect_task("ResolveApiKey"),
        _expect_task("CreateMeter"),
        _expect_task("GetMeter"),
        _expect_task("UpdateMeter"),
        _expect_task("DeleteMeter"),
        _expect_function("LockMeter", MeterLocks="dynamodb:PutItem"),
        _expect_task("CancelUsage"),
        _expect_task("SendUsages"),
        _expect_function("WriteReceipt", LedgerStream="firehose:PutRecord"),
        _expect_function("WriteCancellation", LedgerStream="firehose:PutRecord"),
        _expect_task("CreateCustomer"),
        _expect_task("DeleteCustomer"),
        _expect_task("ListMeters", **{"AnswersLarge/*": "s3:PutObject"}),
        _expect_task("ListCustomers", **{"AnswersLarge/*": "s3:PutObject"}),
        _expect_task("GetCustomer"),
        _expect_task("ListUsage", **{"AnswersLarge/*": "s3:PutObject"}),
        _expect_task("FetchUsage", **{"AnswersLarge/*": "s3:PutObject"}),
        _expect_reader("ReadRecords", **{"AnswersLarge/*": "s3:PutObject"}),
        _expect_function(
            "Api",
            **{
                f"Workflows{operation.pascal_name}": "states:StartExecution" if operation.status_route else START
                for operation in OPERATIONS
                if operation.route
            },
            **{
                f"{EXECUTION}{operation.pascal_name}:*": "states:DescribeExecution"
                for operation in OPERATIONS
                if operation.status_route
            },
            **STORE_REJECTED,
            **{
                "IngestCallIdentities": "dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:UpdateItem",
                "AnswersLarge/*": "s3:DeleteObject s3:GetObject",
            },
        ),
        _expect_function(
            "IngestQueue",
            WorkflowsIngestUsage=START,
            **STORE_REJECTED,
            IngestUsage="sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes sqs:GetQueueUrl "
            "sqs:ReceiveMessage",
        ),
        _expect_function(
            "BackfillPlan",
            **{
                "BackfillFiles/*": "s3:GetObject",
                "BackfillFiles/sent/*": "s3:PutObject",
                "BackfillFiles": "s3:ListBucket",
            },
        ),
        _expect_function(
            "BackfillSendRange", WorkflowsIngestUsage=START, **STORE_REJECTED, **{"BackfillFiles/*": "s3:GetObject"}
        ),
        _expect_function("BackfillSumUp"),
        _expect_reader("ListUnsorted"),
        _expect_reader("SortBatch", "sorted/", "rules/", "index/"),
        _expect_reader("PlanComparison", "sorted-until.json"),
        _expect_reader("CompareHours", "reconciliations/", **{SECRET: "secretsmanager:GetSecretValue"}),
        _expect_reader(
            "WriteReport",
            **{
                "LedgerReceipts/reconciliations/*": "s3:GetObject s3:PutObject",
                "IngestRejected": "dynamodb:BatchGetItem",
                "IngestRejected/index/ByStatus": "dynamodb:Query",
                "IngestUsage": "sqs:GetQueueAttributes",
                "IngestDeadLetters": "sqs:GetQueueAttributes",
            },
        ),
        _expect_reader("PlanReplay", **READ_REPORTS),
        _expect_reader("SendUsagesAgain", WorkflowsIngestUsage=START, **STORE_REJECTED, **READ_REPORTS),
        _expect_function("SumUpReplay"),
        _expect_machine("CreateMeter", "ResolveApiKey", "CreateMeter"),
        _expect_machine("ListMeters", "ResolveApiKey", "ListMeters"),
        _expect_machine("GetMeter", "ResolveApiKey", "GetMeter"),
        _expect_machine("UpdateMeter", *CHANGE_METER, **UNLOCK),
        _expect_machine("DeleteMeter", *CHANGE_METER, "DeleteMeter", **UNLOCK),
        _expect_machine("ListCustomers", "ResolveApiKey", "ListCustomers"),
        _expect_machine("GetCustomer", "ResolveApiKey", "GetCustomer"),
        _expect_machine("ListUsage", "ResolveApiKey", "ListUsage"),
        _expect_machine("FetchUsage", "ResolveApiKey", "GetMeter", "FetchUsage"),
        _expect_machine("ListRecords", "ResolveApiKey", "GetMeter", "ReadRecords"),
        _expect_machine("CancelUsage", "ResolveApiKey", "CancelUsage", "WriteCancellation"),
        _expect_machine("IngestUsage", "ResolveApiKey", "SendUsages", "WriteReceipt", **STORE_REJECTED),
        _expect_machine("CreateCustomer", "ResolveApiKey", "CreateCustomer", **STORE_REJECTED, **SEND_DEAD_LETTERS),
        _expect_machine("DeleteCustomer", "ResolveApiKey", "DeleteCustomer", **STORE_REJECTED, **SEND_DEAD_LETTERS),
        _expect_machine(
            "BackfillUsage",
            *("BackfillPlan", "BackfillSendRange", "BackfillSumUp"),
            **_expect_children("BackfillUsage"),
        ),
        _expect_machine(
            "ReconcileUsage",
            *("ResolveApiKey", "ListUnsorted", "SortBatch", "PlanComparison", "CompareHours", "WriteReport"),
            **{"arn:_:events:_:_:event-bus/Bus": "events:PutEvents"},
            **_expect_children("ReconcileUsage"),
        ),
        _expect_function("StartPeriod", WorkflowsReconcileUsage="states:StartExecution"),
        _expect_function(
            "CheckPeriod",
            **{f"{EXECUTION}ReconcileUsage:*": "states:DescribeExecution"},
            **{"*": f"cloudwatch:GetMetricStatistics {TRACES}"},
        ),
        _expect_machine(
            "ClosePeriod", "StartPeriod", "CheckPeriod", **{"arn:_:events:_:_:event-bus/Bus": "events:PutEvents"}
        ),
        (
            "LedgerStream",
            {
                "LedgerReceipts": "s3:GetBucketLocation s3:ListBucket s3:ListBucketMultipartUploads",
                "LedgerReceipts/receipts/*": "s3:AbortMultipartUpload s3:PutObject",
                "LedgerReceipts/errors/*": "s3:AbortMultipartUpload s3:PutObject",
                "LedgerLog": "logs:PutLogEvents",
            },
        ),
        ("WorkflowsCreateCustomerEvents", {"WorkflowsCreateCustomer": "states:StartExecution"}),
        _expect_machine(
            "ReplayUsage", *("PlanReplay", "SendUsagesAgain", "SumUpReplay"), **_expect_children("ReplayUsage")
        ),
        ("WorkflowsReconcileUsageEvents", {"WorkflowsReconcileUsage": "states:StartExecution"}),
        ("WorkflowsDeleteCustomerEvents", {"WorkflowsDeleteCustomer": "states:StartExecution"}),
    ]
)
# The service of each kind of role.
ASSUMED_BY = {
    "Functions": "lambda.amazonaws.com",
    "Workflows": "states.amazonaws.com",
    "Events": "events.amazonaws.com",
    "LedgerStreamRole": "firehose.amazonaws.com",
}


def test_every_role_has_exactly_the_permissions_of_the_table(aws: dict[str, Any]) -> None:
    granted = collect_grants(aws)
    assert granted.keys() == ROLES.keys()
    for role, grants in ROLES.items():
        assert granted[role] == grants, role


def test_wildcards_are_listed_with_a_reason_and_no_action_has_one(aws: dict[str, Any]) -> None:
    actions_by_resource = {
        resource: actions for grants in collect_grants(aws).values() for resource, actions in grants.items()
    }
    assert {resource for resource in actions_by_resource if re.search(r"[*?]", resource)} == WILDCARDS.keys()
    assert "*" not in "".join(actions_by_resource.values())


def test_files_are_stored_under_the_prefix_that_the_role_allows() -> None:
    assert backfill.SENT_PREFIX == sent_files.PREFIX


def test_a_role_is_for_one_service_and_has_no_other_policies(aws: dict[str, Any]) -> None:
    for name, role in get_resources(aws, "AWS::IAM::Role").items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        kind = "Events" if "Events" in name else re.sub(r"(Functions|Workflows).*", r"\1", strip_hash(name))
        assert statement["Principal"] == {"Service": ASSUMED_BY[kind]}, name
        assert "ManagedPolicyArns" not in role, name
    for kind in ("AWS::IAM::ManagedPolicy", "AWS::IAM::User", "AWS::IAM::RolePolicy", "AWS::IAM::UserPolicy"):
        assert get_resources(aws, kind) == {}


def test_the_sign_in_function_has_no_permissions_on_other_resources(tmp_path: Path) -> None:
    settings = Settings(admin_email="ops@example.com", read_scope="metering/read", write_scope="metering/write")
    granted = collect_grants(synth_template(tmp_path / "out", "aws", settings))
    assert dict([_expect_function("SignIn")]) == {"FunctionsSignIn": granted.pop("FunctionsSignIn")}
    assert granted == ROLES


def test_only_our_api_may_invoke_its_function(aws: dict[str, Any]) -> None:
    permissions = get_resources(aws, "AWS::Lambda::Permission").values()
    assert permissions
    for permission in permissions:
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert render_resource(permission["FunctionName"]) == "FunctionsApi"
        assert re.fullmatch(
            r"arn:_:execute-api:_:_:ApiHttpApi/\*/\*/[a-z]\S+", render_resource(permission["SourceArn"])
        )
        assert "FunctionUrlAuthType" not in permission
    assert get_resources(aws, "AWS::Lambda::Url") == {}
