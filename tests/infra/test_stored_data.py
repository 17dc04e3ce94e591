"""What the resources of the synthesised template store is protected, and no secret is in it."""

import json
from typing import Any

import pytest

from tests.infra.conftest import get_functions, get_resources
from tests.infra.grants import render_resource, strip_hash

VARIABLES = {
    *("AMBERFLO_API_KEY_FIELD", "AMBERFLO_API_KEY_SECRET_ID", "AMBERFLO_BASE_URL", "AMBERFLO_INGEST_URL"),
    *("ANSWERS_BUCKET_NAME", "IDEMPOTENCY_TABLE_NAME", "METER_LOCKS_TABLE_NAME", "REJECTED_TABLE_NAME"),
    *("LEDGER_STREAM_NAME", "LEDGER_BUCKET_NAME", "RECONCILIATION_LAG_SECONDS"),
    *("USAGE_QUEUE_URL", "USAGE_QUEUE_NAME", "USAGE_DEAD_LETTERS_URL", "RECONCILE_USAGE_STATE_MACHINE_ARN"),
    *("STATE_MACHINE_ARNS", "INGEST_USAGE_STATE_MACHINE_ARN", "AMBERFLO_CHECK_METER_NAMES", "DEPLOYMENT_NAME"),
    *("POWERTOOLS_LOG_LEVEL", "POWERTOOLS_SERVICE_NAME"),
}


@pytest.mark.parametrize("kind", ["AWS::SQS::Queue", "AWS::S3::Bucket"])
def test_queues_and_buckets_require_tls_and_name_their_senders(aws: dict[str, Any], kind: str) -> None:
    policies = get_resources(aws, f"{kind}Policy").values()
    names = [render_resource(name) for policy in policies for name in policy.get("Queues") or [policy["Bucket"]]]
    assert sorted(names) == sorted(strip_hash(name) for name in get_resources(aws, kind))
    for policy in policies:
        deny, *allowed = policy["PolicyDocument"]["Statement"]
        assert (deny["Effect"], deny["Principal"]) == ("Deny", {"AWS": "*"})
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert deny["Action"] in {"sqs:*", "s3:*"}
        for statement in allowed:
            assert statement["Principal"] == {"Service": "events.amazonaws.com"}
            rule = render_resource(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
            assert rule in {strip_hash(name) for name in get_resources(aws, "AWS::Events::Rule")}


def test_stored_data_is_encrypted_and_buckets_block_public_access(aws: dict[str, Any]) -> None:
    for bucket in get_resources(aws, "AWS::S3::Bucket").values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert all(queue["SqsManagedSseEnabled"] for queue in get_resources(aws, "AWS::SQS::Queue").values())
    assert all(table["SSESpecification"]["SSEEnabled"] for table in get_resources(aws, "AWS::DynamoDB::Table").values())


def test_every_log_group_has_a_retention_and_every_writer_a_log_group(aws: dict[str, Any]) -> None:
    groups = get_resources(aws, "AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {30}
    writers = [
        strip_hash(name)
        for kind in ("Lambda::Function", "StepFunctions::StateMachine")
        for name in get_resources(aws, f"AWS::{kind}")
    ]
    assert sorted(strip_hash(name) for name in groups) == sorted(
        [*(f"{name}Log" for name in writers), "ApiAccessLog", "LedgerLog"]
    )


def test_no_secret_is_in_the_template_or_in_environment_variables(aws: dict[str, Any]) -> None:
    for name, function in get_functions(aws).items():
        assert function["Environment"]["Variables"].keys() <= VARIABLES, name
    for module in ("resolve_api_key", "send_usages"):
        variables = get_functions(aws)[module]["Environment"]["Variables"]
        assert (variables["AMBERFLO_API_KEY_SECRET_ID"], variables["AMBERFLO_API_KEY_FIELD"]) == (
            "AmberfloApiKey",
            "apiKey",
        )
    text = json.dumps(aws)
    assert "{{resolve:" not in text
    assert get_resources(aws, "AWS::SecretsManager::Secret") == {}
    assert [name for name, item in aws.get("Parameters", {}).items() if "ssm" not in item["Type"].lower()] == []
