"""``POST /ingest``: usages of one HTTP call, counted before it is answered."""

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from amberflo_workflows.entrypoints.replies import Reply, problem, run
from amberflo_workflows.entrypoints.usages import Usage, chunks, usages_in

# A body holds at most some fifteen chunks; they have one call's time together.
PARALLEL_CHUNKS: Final = 8


def ingest(machine_arn: str, body: dict[str, Any]) -> Reply:
    """Count one usage, or those of ``{"records": […]}``.

    The call is an event with an identity and a time of its own, which stand in where a usage has none. Answers 200
    with ``{"accepted": n, "uniqueIds": […], "rejected": [{index, uniqueId, reason}…]}``; when any chunk failed, its
    error, since then nobody can say that all is counted. The same call with the same ``uniqueId`` and
    ``meterTimeInMillis`` may be repeated: it counts once.
    """
    usages = usages_in(body, event_id=str(uuid.uuid4()), event_time=datetime.now(UTC).isoformat())
    if not usages:
        return problem(400, "The request is wrong: records: it is empty.")
    work = [[usage for _, usage in chunk] for chunk in chunks((None, usage) for usage in usages)]
    with ThreadPoolExecutor(max_workers=min(PARALLEL_CHUNKS, len(work))) as pool:
        replies = list(pool.map(lambda chunk: _send(machine_arn, chunk), work))
    return _together(replies)


def _send(machine_arn: str, usages: list[Usage]) -> Reply:
    return run(machine_arn, {"callerWaits": True, "usages": usages})


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
