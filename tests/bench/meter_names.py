"""What it costs to check that each usage has a meter: processor time of the step, and calls to Amberflo."""

import io
import logging
import os
import time
from contextlib import redirect_stdout
from statistics import median
from typing import Any
from unittest.mock import patch

import msgspec

from amberflo_workflows.local.system import SECRET, System
from amberflo_workflows.tasks import send_usages
from amberflo_workflows.tasks.amberflo import config
from tests.bench.events import METER, build_usage
from tests.conftest import sandbox_of

CHUNK, ROUNDS, METERS = 300, 200, 1_000


def measure(system: System) -> list[dict[str, Any]]:
    """Send chunks with and without the check in turn, from this process, to an account with many meters."""
    sandbox_of(system).create_meters(METER, *(f"meter-{number}" for number in range(METERS)))
    secrets = system.client("secretsmanager")
    version = secrets.get_secret_value(SecretId=SECRET)["VersionId"]
    # Powertools reads its log level when it is imported, which is before the environment below.
    logging.disable(logging.WARNING)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    calls = {True: 0, False: 0}
    for number in range(2 * ROUNDS):
        is_checked = number % 2 == 0
        with patch.dict(os.environ, build_environment(system, is_checked)):
            config.checks_meter_names.cache_clear()
            # The first chunks of each kind read the secret and the list.
            if number < 2:
                _send(version)
            sandbox_of(system).clear_requests()
            seconds[is_checked].append(_send(version))
            calls[is_checked] += sandbox_of(system).requests()["total"]
    config.checks_meter_names.cache_clear()
    logging.disable(logging.NOTSET)
    return [
        {
            "names": "checked" if is_checked else "not checked",
            "cpu_us_per_usage": round(median(seconds[is_checked]) * 1e6 / CHUNK, 2),
            "ratio": round(median(seconds[is_checked]) / median(seconds[False]), 3),
            "calls_per_chunk": round(calls[is_checked] / ROUNDS, 2),
        }
        for is_checked in (False, True)
    ]


def build_environment(system: System, is_checked: bool) -> dict[str, str]:
    return {
        "AMBERFLO_API_KEY_SECRET_ID": SECRET,
        "AMBERFLO_API_KEY_FIELD": "apiKey",
        "AMBERFLO_BASE_URL": system.amberflo_url,
        "AMBERFLO_INGEST_URL": system.amberflo_url,
        "AMBERFLO_CHECK_METER_NAMES": str(is_checked).lower(),
        "POWERTOOLS_SERVICE_NAME": "send_usages",
        **system.emulator.environment,
    }


def _send(version: str) -> float:
    """Send a chunk of one meter; returns the processor seconds of the step."""
    usages = [{"eventId": "e", "eventTime": "", "index": n, "usage": build_usage(n)} for n in range(CHUNK)]
    event = {
        "request": {"usages": usages},
        "apiKey": {"versionId": version},
        "execution": {"name": "bench", "startTime": ""},
        "timeoutSeconds": 15,
    }
    event = msgspec.json.decode(msgspec.json.encode(event))
    # The metrics are printed.
    with redirect_stdout(io.StringIO()):
        started = time.process_time()
        result = send_usages.handler(event, None)
    seconds = time.process_time() - started
    if len(result["counted"]) != CHUNK:
        raise RuntimeError(f"usage was rejected: {result['rejected'][0]}")
    return seconds
