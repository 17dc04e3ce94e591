"""Lock a meter for one execution, so that no other execution changes it between the reading and the writing of it.

Amberflo has no conditional update: of two executions that read the same meter and write it back with different changes,
the second would undo the first one's change.

Input: ``{"request": {"meterId", …}, "execution": {"name", "id"}, "timeoutSeconds"}``. Response: 200, 400, 413, or 409
if other executions had the lock all the time.
"""

import random
import time
from typing import Any, Final

import msgspec

from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.meter import parse_meter_reference
from amberflo_workflows.core.meter_lock import dynamodb_client, set_lock
from amberflo_workflows.core.observability import logger
from amberflo_workflows.core.response import (
    PayloadTooLarge,
    StepResponse,
    error_response,
    field_error_response,
    success,
    validation_error_response,
)

MIN_WAIT_SECONDS: Final = 0.05
MAX_WAIT_SECONDS: Final = 0.3
# The last attempt must end before the state does.
_MARGIN_SECONDS: Final = 2.0
_BUSY: Final = "Other calls are changing this meter; this call changed nothing. Repeat it in a few seconds."


class LockOwner(msgspec.Struct):
    """The execution that is to have the lock; ``id`` is its ARN."""

    name: str
    id: str


class LockInput(msgspec.Struct, rename="camel"):
    """The event of this step. Its request is not yet validated."""

    request: Any
    execution: LockOwner
    timeout_seconds: float


def handler(event: Any, _context: object) -> StepResponse:
    step_input = msgspec.convert(event, LockInput)
    logger.set_correlation_id(step_input.execution.name)
    try:
        meter_id = parse_meter_reference(step_input.request).meter_id
        meter_id.encode()
    except msgspec.ValidationError as error:
        return validation_error_response(error)
    except UnicodeEncodeError:
        return field_error_response("meterId", "It contains text that is not valid Unicode")
    except PayloadTooLarge as error:
        return error_response(413, str(error))
    if _wait_for_lock(meter_id, step_input):
        return success(200, {"id": meter_id})
    return error_response(409, _BUSY)


def _wait_for_lock(meter_id: str, step_input: LockInput) -> bool:
    """Try until the execution has the lock or the time is over; return whether it has the lock."""
    deadline = time.monotonic() + step_input.timeout_seconds - _MARGIN_SECONDS
    while not set_lock(meter_id, step_input.execution.id):
        wait = random.uniform(MIN_WAIT_SECONDS, MAX_WAIT_SECONDS)  # noqa: S311 - it is no secret
        if time.monotonic() + wait > deadline:
            return False
        time.sleep(wait)
    return True


at_initialization(dynamodb_client)
