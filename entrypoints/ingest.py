"""``POST /ingest``: count the usages of one HTTP call before the response is returned."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from amberflo_workflows.core.chunks import (
    MAX_CHUNK_USAGES,
    EncodedUsage,
    encode_chunk,
    encode_usage,
    exceeds_chunk_limit,
    extract_usages,
    split_into_chunks,
)
from amberflo_workflows.entrypoints import oversized
from amberflo_workflows.entrypoints.api_response import ApiResponse, build_error, run_for_caller
from amberflo_workflows.entrypoints.call_identity import CallIdentity
from amberflo_workflows.entrypoints.oversized import reject_oversized

# All chunks of a body have to be processed within the time of one call.
PARALLEL_CHUNKS: Final = 8
# Two rounds of chunks. More would take longer than a call may, and if all usages were rejected, the reasons would
# exceed the size of a response.
MAX_USAGES_PER_CALL: Final = 2 * PARALLEL_CHUNKS * MAX_CHUNK_USAGES


def ingest(machine_arn: str, body: dict[str, Any], call: CallIdentity) -> ApiResponse:
    """Count one usage, or those of ``{"records": […]}``.

    The identity and time of the ``call`` apply to a usage that has none of its own. Returns 200 with ``{"accepted": n,
    "uniqueIds": […], "rejected": [{index, uniqueId, reason}…]}``, or the error of a chunk that failed. A call that is
    repeated with the same identity counts once.
    """
    try:
        usages = extract_usages(body, event_id=call["id"], event_time=call["time"])
    except RecursionError:
        return build_error(400, "The request is invalid. The body is nested too deep.")
    if not usages:
        return build_error(400, "The request is invalid. records: It must have at least one usage.")
    if len(usages) > MAX_USAGES_PER_CALL:
        return build_error(
            413,
            f"The call has {len(usages):,} usages; the limit is {MAX_USAGES_PER_CALL:,}. Split it into several calls.",
        )
    chunks = list(split_into_chunks(encode_usage(None, usage) for usage in usages))
    with ThreadPoolExecutor(max_workers=min(PARALLEL_CHUNKS, len(chunks))) as pool:
        responses = list(pool.map(lambda chunk: _send(machine_arn, chunk), chunks))
    return _merge(responses)


def _send(machine_arn: str, chunk: list[EncodedUsage[None]]) -> ApiResponse:
    if not exceeds_chunk_limit(chunk):
        return run_for_caller(machine_arn, {"callerWaits": True, "usages": encode_chunk(chunk)}, repeatable=True)
    usage = reject_oversized(chunk[0].reported, os.environ["REJECTED_TABLE_NAME"], oversized.dynamodb_client())
    rejected = {"index": usage["index"], "uniqueId": usage["uniqueId"], "reason": usage["reason"]}
    return ApiResponse(200, {"data": {"accepted": 0, "uniqueIds": [], "rejected": [rejected]}})


def _merge(responses: Sequence[ApiResponse]) -> ApiResponse:
    arns = tuple(arn for response in responses for arn in response.execution_arns)
    failed = next((response for response in responses if response.status != 200), None)
    if failed:
        return ApiResponse(failed.status, failed.body, arns)
    results = [response.body["data"] for response in responses]
    data = {
        "accepted": sum(result["accepted"] for result in results),
        "uniqueIds": [unique_id for result in results for unique_id in result["uniqueIds"]],
        "rejected": [rejected for result in results for rejected in result["rejected"]],
    }
    return ApiResponse(200, {"data": data}, arns)
