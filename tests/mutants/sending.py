"""Breaks of the path of usage to Amberflo."""

from typing import Final

from tests.mutants.mutant import Mutant

_CHUNKS: Final = "tests/core/test_chunks.py"
_RECORDS: Final = "tests/core/test_usage_record.py"
_REQUESTS: Final = "tests/tasks/test_requests.py"
_OUTCOMES: Final = "tests/tasks/test_send_usages.py"
_RESPONSES: Final = "tests/entrypoints/test_api_response.py"
_OVERSIZED: Final = "tests/entrypoints/test_oversized.py"
_IDENTITIES: Final = "tests/entrypoints/test_call_identity.py"
_REDRIVEN: Final = "tests/operate/rejected/test_redrive.py"
_MESSAGES: Final = "tests/entrypoints/test_usage_message.py"
_PLAIN_RECORDS: Final = "tests/core/test_plain_record.py"

_QUEUE: Final = "entrypoints/ingest_queue.py"
_MESSAGE: Final = "entrypoints/usage_message.py"
_SEND: Final = "tasks/send_usages.py"
_CLIENT: Final = "tasks/amberflo/client.py"
_WORKFLOW: Final = "workflows/ingest_usage.asl.json"
_REDRIVE: Final = "src/amberflo_workflows/operate/rejected/redrive.py"
_TABLE: Final = "src/amberflo_workflows/operate/rejected/table.py"
_DEAD: Final = "src/amberflo_workflows/operate/rejected/dead_letters.py"

SENDING: Final = (
    Mutant("acknowledge what was not sent", _QUEUE, "            if reason:\n", "            if reason is None:\n"),
    Mutant("the message's id as identity", _MESSAGE, "event_id=event.id,", 'event_id=record["messageId"],'),
    Mutant("the message's time as time", _MESSAGE, "event_time=event.time)", "event_time='2026-01-01')"),
    Mutant("the message's id as identity, if odd", _MESSAGE, 'event.get("id"), default', "None, default", _MESSAGES),
    Mutant("the message's time as time, if odd", _MESSAGE, 'event.get("time"), default', "None, default", _MESSAGES),
    Mutant("the first of two values is dropped", _MESSAGE, "quotes == body.count", "quotes <= body.count", _MESSAGES),
    Mutant("a quote hides that a value was dropped", _MESSAGE, "if has_escapes and", "if False and", _MESSAGES),
    Mutant("the rest of a batch is sent", _QUEUE, "in read_usages(record)", "in read_usages(record)[:2]"),
    Mutant(
        "identity with a random part",
        "core/chunks.py",
        'f"{event_id}:{index}"',
        "f\"{event_id}:{__import__('uuid').uuid4()}\"",
    ),
    Mutant(
        "a chunk with one usage too many",
        "core/chunks.py",
        "len(chunk) == MAX_CHUNK_USAGES",
        "len(chunk) > MAX_CHUNK_USAGES",
    ),
    Mutant(
        "a chunk with one byte too many",
        "core/chunks.py",
        "(size > free_bytes or",
        "(size > free_bytes + 1 or",
        _CHUNKS,
    ),
    Mutant(
        "the last usage after full chunks is left out",
        "core/chunks.py",
        "    if chunk:\n        yield chunk\n",
        "    if len(chunk) % MAX_CHUNK_USAGES != 1 or free_bytes < MAX_CHUNK_BYTES - 200:\n        yield chunk\n",
    ),
    Mutant(
        "a new time in each attempt",
        _SEND,
        "event_time=reported.event_time",
        "event_time=f'{reported.event_time[:17]}{time.time_ns() % 60:02}Z'",
    ),
    Mutant(
        "a request leaves out its last usage",
        _SEND,
        "valid[start : start + MAX_REQUEST_USAGES]",
        "valid[start : start + MAX_REQUEST_USAGES - 1]",
    ),
    Mutant("a rejected batch is a rejected usage", _SEND, "if len(valid) > 1:", "if len(valid) > 1_000:"),
    Mutant("a rejected usage is counted, too", _SEND, "        valid = []\n", "        pass\n"),
    Mutant(
        "the place in the chunk starts at 0",
        _SEND,
        "enumerate(request.usages, request.first)",
        "enumerate(request.usages)",
    ),
    Mutant("usage without a meter is sent", _SEND, "    if not reasons:\n", "    if True:\n"),
    Mutant(
        "an error of the server is success",
        _CLIENT,
        '    raise AmberfloUnavailable(f"Amberflo returned status {status}.")\n',
        "",
    ),
    Mutant(
        "throttling is success",
        _CLIENT,
        '        raise AmberfloThrottled("Amberflo is throttling (429).")\n',
        "        return\n",
    ),
    Mutant(
        "no response is success",
        _CLIENT,
        '            raise AmberfloUnavailable(f"No response from Amberflo ({error.reason}).") from None\n',
        '            return HttpResponse(200, {}, b"")\n',
    ),
    Mutant(
        "a rejected key is success",
        _CLIENT,
        '        raise AmberfloUnauthorized(f"Amberflo rejected the API key ({status}).")\n',
        "        return\n",
    ),
    Mutant(
        "the key is never read again",
        "tasks/resolve_api_key.py",
        'event.get("refresh") is True',
        'event.get("refresh") is None',
    ),
    Mutant(
        "rejected usage is not saved",
        _WORKFLOW,
        '"IsPresent": true, "Next": "SaveRejectedUsages"',
        '"IsPresent": true, "Next": "BuildResponse"',
    ),
    Mutant("a redelivery overwrites an item", _WORKFLOW, ' "ConditionExpression": "attribute_not_exists(id)",', ""),
    Mutant(
        "an item that exists fails the execution",
        _WORKFLOW,
        "DynamoDB.ConditionalCheckFailedException",
        "DynamoDB.ResourceInUseException",
    ),
    Mutant(
        "redrive with another identity",
        _REDRIVE,
        "rejected_id=item.id)",
        "rejected_id=item.id, event_id=item.id)",
        _REDRIVEN,
    ),
    Mutant(
        "redrive without a claim",
        _REDRIVE,
        "[table.claim(usage.origin) for usage in chunk]",
        "[usage.origin for usage in chunk]",
    ),
    Mutant("what failed to be redriven is redriven", _REDRIVE, "        if index in reasons:\n", "        if False:\n"),
    Mutant(
        "usage on its way can be edited",
        _TABLE,
        'if item.status != "rejected":\n            raise OperatorError(f"{item.id} is {item.status}; '
        'only rejected usage can be edited.")',
        'if item.status == "redriven":\n            raise OperatorError("no")',
        _REDRIVEN,
    ),
    Mutant(
        "usage on its way can be dropped",
        _TABLE,
        'if item.status != "rejected":\n            raise OperatorError(f"{item.id} is {item.status}; '
        'only rejected usage can be dropped.")',
        'if item.status == "redriven":\n            raise OperatorError("no")',
    ),
    Mutant(
        "a dead event is deleted before it is sent",
        _DEAD,
        "        if event.workflow:\n            machine",
        "        self._sqs.delete_message(QueueUrl=event.queue_url, ReceiptHandle=event.receipt)\n"
        "        if event.workflow:\n            machine",
    ),
    Mutant(
        "a cancellation without its dimension",
        "tasks/cancel_usage.py",
        'CANCEL_DIMENSION] = "true"',
        'CANCEL_DIMENSION] = ""',
    ),
    Mutant("the idempotency key is ignored", "entrypoints/api.py", "    if key is None:\n", "    if key:\n"),
    Mutant(
        "dimensions in the order of the report",
        "core/usage_record.py",
        "in sorted(members):",
        "in members:",
        _RECORDS,
    ),
    Mutant(
        "dimensions of an odd usage in the order of the report",
        "core/usage_record.py",
        "in sorted(dimensions.items()) if value}",
        "in dimensions.items() if value}",
        _PLAIN_RECORDS,
    ),
    Mutant(
        "a text in another form is canonical",
        "core/canonical.py",
        'return unicodedata.is_normalized("NFC", text)',
        "return True",
        _PLAIN_RECORDS,
    ),
    Mutant(
        "only the first request can be rejected",
        _SEND,
        "        if error is None:\n            continue\n",
        "        if error is None:\n            break\n",
        _OUTCOMES,
    ),
    Mutant("a rejected record without its place", _SEND, "batch[0].place, reason", "0, reason", _OUTCOMES),
    Mutant("an id with a slash is another path", _CLIENT, 'quote(part, safe="")', "quote(part)", _REQUESTS),
    Mutant(
        "a request without its body after the wait",
        _CLIENT,
        "            time.sleep(wait)\n            response = self._attempt(method, url, payload, params, deadline)",
        "            time.sleep(wait)\n            response = self._attempt(method, url, None, params, deadline)",
        _REQUESTS,
    ),
    Mutant("a conflict is a failure", _CLIENT, "{400, 404, 409, 413, 422}", "{400, 404, 413, 422}", _REQUESTS),
    Mutant(
        "a message of the runtime reaches the caller",
        "entrypoints/api_response.py",
        "{500: _INTERNAL_ERROR, 504: _TIMED_OUT}",
        "{504: _TIMED_OUT}",
        _RESPONSES,
    ),
    Mutant(
        "an input over the limit is started",
        "entrypoints/workflows.py",
        "len(text) > MAX_INPUT_BYTES",
        "len(text) > MAX_INPUT_BYTES + 1",
        _RESPONSES,
    ),
    Mutant(
        "a redelivery overwrites a usage that is too large",
        "entrypoints/oversized.py",
        'ConditionExpression="attribute_not_exists(id)", ',
        "",
        _OVERSIZED,
    ),
    Mutant(
        "callers share their keys", "entrypoints/call_identity.py", '"key": [caller, key]', '"key": [key]', _IDENTITIES
    ),
    Mutant("usage counts without a receipt", _WORKFLOW, '"Default": "WriteReceipt"', '"Default": "WereUsagesRejected"'),
)
