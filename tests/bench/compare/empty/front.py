"""The ``api`` function without its work: it starts the workflow and returns its response.

Its connection stays open, and it signs nothing, which the emulator does not check.
"""

import http.client
import json
import os
from functools import cache
from typing import Any


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Run the workflow with an empty input."""
    body = json.dumps({"stateMachineArn": os.environ["STATE_MACHINE_ARN"], "input": "{}"})
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AWSStepFunctions.StartSyncExecution"}
    connection = _connect()
    connection.request("POST", "/", body, headers)
    execution = json.loads(connection.getresponse().read())
    response = json.loads(execution["output"])
    return {"statusCode": response["statusCode"], "body": json.dumps(response["body"])}


@cache
def _connect() -> http.client.HTTPConnection:
    return http.client.HTTPConnection(os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"))
