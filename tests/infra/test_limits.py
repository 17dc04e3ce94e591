"""Time limits and size limits that depend on each other: a caller must wait longer than the call may take."""

from typing import Any

from amberflo_workflows.core.chunks import MAX_CHUNK_BYTES, MAX_CHUNK_USAGES
from amberflo_workflows.entrypoints import api_response, ingest_queue
from amberflo_workflows.entrypoints.api import MAX_REQUEST_BODY_BYTES
from amberflo_workflows.entrypoints.ingest import MAX_USAGES_PER_CALL
from tests.infra.conftest import get_functions, get_resources
from tests.workflows.asl import FILES, load_workflow

HTTP_API_SECONDS = 30
SQS_MAX_MESSAGE_BYTES = 1_048_576
SQS_MAX_BATCH_SIZE = 10_000
# The limit for all headers of a response, less 1 KiB for the other headers.
MAX_HEADER_BYTES = 10_240 - 1_024
# arn:aws-us-gov:states:REGION:ACCOUNT:express:MACHINE:NAME:ID, with names of the maximum length.
MAX_ARN_LENGTH = 14 + 8 + 16 + 13 + 9 + 81 + 81 + 36


def _get_longest_timeout(*names: str) -> int:
    timeouts: list[int] = [
        load_workflow(path)["TimeoutSeconds"] for path in FILES if path.name.removesuffix(".asl.json") in names
    ]
    assert len(timeouts) == len(names)
    return max(timeouts)


def test_a_call_ends_before_api_gateway_times_out(aws: dict[str, Any]) -> None:
    workflow = _get_longest_timeout(
        "create_meter",
        "list_meters",
        "get_meter",
        "update_meter",
        "delete_meter",
        "list_usage",
        "fetch_usage",
        "list_records",
        "list_customers",
        "get_customer",
        "cancel_usage",
    )
    function = get_functions(aws)["api"]["Timeout"]
    assert workflow < api_response.STEP_FUNCTIONS.read_seconds < function < HTTP_API_SECONDS


def test_a_batch_of_the_queue_ends_before_it_is_delivered_again(aws: dict[str, Any]) -> None:
    function = get_functions(aws)["ingest_queue"]["Timeout"]
    assert _get_longest_timeout("ingest_usage") < ingest_queue.STEP_FUNCTIONS.read_seconds < function
    (mapping,) = get_resources(aws, "AWS::Lambda::EventSourceMapping").values()
    queue = aws["Resources"][mapping["EventSourceArn"]["Fn::GetAtt"][0]]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * function
    assert mapping["BatchSize"] <= SQS_MAX_BATCH_SIZE
    # AWS requires a batching window for batches of more than ten messages.
    assert mapping["MaximumBatchingWindowInSeconds"] >= 1
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_execution_arns_of_a_call_fit_into_the_response_headers() -> None:
    # A chunk has the maximum count, or two consecutive chunks together have the maximum bytes.
    chunks = MAX_USAGES_PER_CALL // MAX_CHUNK_USAGES + MAX_REQUEST_BODY_BYTES // (MAX_CHUNK_BYTES // 2)
    assert chunks * (MAX_ARN_LENGTH + len(", ")) <= MAX_HEADER_BYTES


def test_queues_accept_the_largest_event(aws: dict[str, Any]) -> None:
    for name, queue in get_resources(aws, "AWS::SQS::Queue").items():
        assert queue.get("MaximumMessageSize", SQS_MAX_MESSAGE_BYTES) == SQS_MAX_MESSAGE_BYTES, name


def test_large_responses_are_encrypted_private_and_deleted_after_a_day(aws: dict[str, Any]) -> None:
    (bucket,) = [item for name, item in get_resources(aws, "AWS::S3::Bucket").items() if "Answers" in name]
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert bucket["LifecycleConfiguration"]["Rules"] == [{"ExpirationInDays": 1, "Status": "Enabled"}]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
