"""Files of usage for tests of ``metering backfill``, and the totals that they have."""

import csv
import io
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from amberflo_workflows.local.system import System
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.polling import wait_until

COLUMNS = ("customer", "meterApiName", "meterValue", "meterTimeInMillis", "region")
TENANTS = ("acme", "globex", "initech")


def build_rows(count: int, **change: Any) -> list[dict[str, Any]]:
    now = int(time.time() * 1000)
    row = {"meterApiName": "api-calls", "region": "eu", **change}
    return [
        {"customer": TENANTS[n % 3], "meterValue": n + 1, "meterTimeInMillis": now - 1_000_000 + n, **row}
        for n in range(count)
    ]


def build_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def compute_totals(rows: list[dict[str, Any]]) -> dict[str, float]:
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["customer"]] += row["meterValue"]
    return dict(sums)


def read_totals(metering: Metering) -> dict[str, float]:
    return sandbox_of(metering.system).totals("api-calls")


def write_file(path: Path, content: bytes | str) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def upload_file(system: System, key: str, content: bytes | str) -> str:
    bucket, body = system.outputs["BackfillBucketName"], content.encode() if isinstance(content, str) else content
    system.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return f"s3://{bucket}/{key}"


def run_backfill(system: System, **request: Any) -> dict[str, Any]:
    """Run ``backfill_usage`` without the command line, and return its response."""
    client, machine = system.client("stepfunctions"), system.state_machine_arns["backfill_usage"]
    text = json.dumps({"bucket": system.outputs["BackfillBucketName"], **request})
    arn = client.start_execution(stateMachineArn=machine, input=text)["executionArn"]
    assert wait_until(lambda: client.describe_execution(executionArn=arn)["status"] != "RUNNING")
    execution = client.describe_execution(executionArn=arn)
    assert execution["status"] == "SUCCEEDED", execution
    response: dict[str, Any] = json.loads(execution["output"])
    return response
