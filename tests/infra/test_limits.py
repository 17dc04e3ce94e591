"""Time limits that stand around each other: who waits gives up after the one that is waited for."""

from typing import Any

from amberflo_workflows.core.chunks import MAX_CHUNK_BYTES, MAX_CHUNK_USAGES
from amberflo_workflows.entrypoints import api_response, ingest_queue
from amberflo_workflows.entrypoints.api import MAX_REQUEST_BODY_BYTES
from amberflo_workflows.entrypoints.ingest import MAX_USAGES_PER_CALL
from tests.infra.conftest import functions, resources
from tests.workflows.asl import FILES, definition

HTTP_API_SECONDS = 30
SQS_MOST_BYTES = 1_048_576
SQS_MOST_IN_A_BATCH = 10_000
# All headers of an answer together; the others are short.
HEADER_BYTES = 10_240 - 1_024
# arn:aws-us-gov:states:REGION:ACCOUNT:express:MACHINE:NAME:ID, with the longest names there may be.
LONGEST_ARN = 14 + 8 + 16 + 13 + 9 + 81 + 81 + 36


def _workflow_seconds(*names: str) -> int:
    found: list[int] = [
        definition(path)["TimeoutSeconds"] for path in FILES if path.name.removesuffix(".asl.json") in names
    ]
    assert len(found) == len(names)
    return max(found)


def test_a_call_is_answered_before_the_gateway_answers_for_us(aws: dict[str, Any]) -> None:
    workflow = _workflow_seconds(
        "create_meter", "list_meters", "get_meter", "update_meter", "delete_meter", "fetch_usage", "cancel_usage"
    )
    function = functions(aws)["api"]["Timeout"]
    assert workflow < api_response.READ_TIMEOUT_SECONDS < function < HTTP_API_SECONDS


def test_a_batch_of_the_queue_is_reported_before_it_is_delivered_again(aws: dict[str, Any]) -> None:
    function = functions(aws)["ingest_queue"]["Timeout"]
    assert _workflow_seconds("ingest_usage") < ingest_queue.READ_TIMEOUT_SECONDS < function
    (mapping,) = resources(aws, "AWS::Lambda::EventSourceMapping").values()
    queue = aws["Resources"][mapping["EventSourceArn"]["Fn::GetAtt"][0]]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * function
    assert mapping["BatchSize"] <= SQS_MOST_IN_A_BATCH
    # AWS asks for a window where a batch may have more than ten messages.
    assert mapping["MaximumBatchingWindowInSeconds"] >= 1
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_executions_of_a_call_can_all_be_named_in_its_answers_headers() -> None:
    # A chunk is full by count, or two of them together by bytes.
    chunks = MAX_USAGES_PER_CALL // MAX_CHUNK_USAGES + MAX_REQUEST_BODY_BYTES // (MAX_CHUNK_BYTES // 2)
    assert chunks * (LONGEST_ARN + len(", ")) <= HEADER_BYTES


def test_no_queue_takes_less_than_an_event_may_have(aws: dict[str, Any]) -> None:
    for name, queue in resources(aws, "AWS::SQS::Queue").items():
        assert queue.get("MaximumMessageSize", SQS_MOST_BYTES) == SQS_MOST_BYTES, name


def test_a_large_answer_lies_encrypted_and_hidden_for_a_day_at_most(aws: dict[str, Any]) -> None:
    (bucket,) = [found for name, found in resources(aws, "AWS::S3::Bucket").items() if "Answers" in name]
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert bucket["LifecycleConfiguration"]["Rules"] == [{"ExpirationInDays": 1, "Status": "Enabled"}]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
