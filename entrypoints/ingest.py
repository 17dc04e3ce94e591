"""``POST /ingest``: usages of one HTTP call, counted before it is answered."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from amberflo_workflows.core.chunks import MOST_USAGES, chunks, is_too_large, usages_in
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.entrypoints import oversized
from amberflo_workflows.entrypoints.call_identity import CallIdentity
from amberflo_workflows.entrypoints.oversized import park
from amberflo_workflows.entrypoints.replies import Reply, problem, run

# All chunks of a body have one call's time together.
PARALLEL_CHUNKS: Final = 8
# Two rounds of chunks. Many more small ones would need more time than a call has, and if all were refused their
# reasons would need more room than an answer has.
MOST_USAGES_A_CALL: Final = 2 * PARALLEL_CHUNKS * MOST_USAGES


def ingest(machine_arn: str, body: dict[str, Any], call: CallIdentity) -> Reply:
    """Count one usage, or those of ``{"records": […]}``.

    The identity and time of the ``call`` stand in where a usage has none of its own. Answers 200 with ``{"accepted":
    n, "uniqueIds": […], "rejected": [{index, uniqueId, reason}…]}``; when any chunk failed, its error, since then
    nobody can say that all is counted. A call that is repeated under the same identity counts once.
    """
    try:
        usages = usages_in(body, event_id=call["id"], event_time=call["time"])
    except RecursionError:
        return problem(400, "The request is wrong: it is nested too deep.")
    if not usages:
        return problem(400, "The request is wrong: records: it is empty.")
    if len(usages) > MOST_USAGES_A_CALL:
        return problem(
            413,
            f"A call takes at most {MOST_USAGES_A_CALL:,} usages; this one has {len(usages):,}. Make several of it.",
        )
    work = [[usage for _, usage in chunk] for chunk in chunks((None, usage) for usage in usages)]
    with ThreadPoolExecutor(max_workers=min(PARALLEL_CHUNKS, len(work))) as pool:
        replies = list(pool.map(lambda chunk: _send(machine_arn, chunk), work))
    return _together(replies)


def _send(machine_arn: str, usages: list[ReportedUsage]) -> Reply:
    if not is_too_large(usages):
        return run(machine_arn, {"callerWaits": True, "usages": usages})
    refused = park(usages[0], os.environ["REJECTED_TABLE_NAME"], oversized.client())
    told = {"index": refused["index"], "uniqueId": refused["uniqueId"], "reason": refused["reason"]}
    return Reply(200, {"data": {"accepted": 0, "uniqueIds": [], "rejected": [told]}})


def _together(replies: Sequence[Reply]) -> Reply:
    arns = tuple(arn for reply in replies for arn in reply.execution_arns)
    failed = next((reply for reply in replies if reply.status != 200), None)
    if failed:
        return Reply(failed.status, failed.body, arns)
    parts = [reply.body["data"] for reply in replies]
    data = {
        "accepted": sum(part["accepted"] for part in parts),
        "uniqueIds": [unique_id for part in parts for unique_id in part["uniqueIds"]],
        "rejected": [rejected for part in parts for rejected in part["rejected"]],
    }
    return Reply(200, {"data": data}, arns)
