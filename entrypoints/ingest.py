"""``POST /ingest``: usages of one HTTP call, counted before it is answered."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from amberflo_workflows.core.chunks import MAX_CHUNK_USAGES, exceeds_chunk_limit, extract_usages, split_into_chunks
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.entrypoints import oversized
from amberflo_workflows.entrypoints.api_response import ApiResponse, api_error, run_for_caller
from amberflo_workflows.entrypoints.call_identity import CallIdentity
from amberflo_workflows.entrypoints.oversized import reject_oversized

# All chunks of a body have one call's time together.
PARALLEL_CHUNKS: Final = 8
# Two rounds of chunks. Many more small ones would need more time than a call has, and if all were refused their
# reasons would need more room than an answer has.
MAX_USAGES_PER_CALL: Final = 2 * PARALLEL_CHUNKS * MAX_CHUNK_USAGES


def ingest(machine_arn: str, body: dict[str, Any], call: CallIdentity) -> ApiResponse:
    """Count one usage, or those of ``{"records": […]}``.

    The identity and time of the ``call`` stand in where a usage has none of its own. Answers 200 with ``{"accepted":
    n, "uniqueIds": […], "rejected": [{index, uniqueId, reason}…]}``; when any chunk failed, its error, since then
    nobody can say that all is counted. A call that is repeated under the same identity counts once.
    """
    try:
        usages = extract_usages(body, event_id=call["id"], event_time=call["time"])
    except RecursionError:
        return api_error(400, "The request is wrong: it is nested too deep.")
    if not usages:
        return api_error(400, "The request is wrong: records: it is empty.")
    if len(usages) > MAX_USAGES_PER_CALL:
        return api_error(
            413,
            f"A call takes at most {MAX_USAGES_PER_CALL:,} usages; this one has {len(usages):,}. Make several of it.",
        )
    work = [[usage for _, usage in chunk] for chunk in split_into_chunks((None, usage) for usage in usages)]
    with ThreadPoolExecutor(max_workers=min(PARALLEL_CHUNKS, len(work))) as pool:
        replies = list(pool.map(lambda chunk: _send(machine_arn, chunk), work))
    return _together(replies)


def _send(machine_arn: str, usages: list[ReportedUsage]) -> ApiResponse:
    if not exceeds_chunk_limit(usages):
        return run_for_caller(machine_arn, {"callerWaits": True, "usages": usages})
    refused = reject_oversized(usages[0], os.environ["REJECTED_TABLE_NAME"], oversized.dynamodb_client())
    told = {"index": refused["index"], "uniqueId": refused["uniqueId"], "reason": refused["reason"]}
    return ApiResponse(200, {"data": {"accepted": 0, "uniqueIds": [], "rejected": [told]}})


def _together(replies: Sequence[ApiResponse]) -> ApiResponse:
    arns = tuple(arn for reply in replies for arn in reply.execution_arns)
    failed = next((reply for reply in replies if reply.status != 200), None)
    if failed:
        return ApiResponse(failed.status, failed.body, arns)
    parts = [reply.body["data"] for reply in replies]
    data = {
        "accepted": sum(part["accepted"] for part in parts),
        "uniqueIds": [unique_id for part in parts for unique_id in part["uniqueIds"]],
        "rejected": [rejected for part in parts for rejected in part["rejected"]],
    }
    return ApiResponse(200, {"data": data}, arns)
