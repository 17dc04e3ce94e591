"""A deployment into an account with few concurrent Lambdas, as new accounts have."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.entrypoints.ingest_queue import PARALLEL_CHUNKS
from amberflo_workflows.infra.lambda_limit import LAMBDAS_PER_BATCH, fit_ingest_concurrency
from amberflo_workflows.infra.settings import Settings
from amberflo_workflows.local.emulator import client
from tests.http_server import serving

DENIED = (403, {"message": "not authorized to perform: lambda:GetAccountSettings"})


def _build_limit(limit: int) -> tuple[int, dict[str, Any]]:
    return 200, {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": limit}}


@contextmanager
def _running_lambda_endpoint(status: int, body: dict[str, Any]) -> Iterator[str]:
    """An endpoint of Lambda with ``GetAccountSettings``; the emulator's limit cannot be changed."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = json.dumps(body).encode()
            self.send_response(status if self.path.rstrip("/").endswith("/account-settings") else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: Any) -> None:
            """Write no log."""

    with serving(Handler) as url:
        yield url


def test_a_batch_uses_one_lambda_for_itself_and_one_for_each_chunk() -> None:
    assert LAMBDAS_PER_BATCH == 1 + PARALLEL_CHUNKS


@pytest.mark.parametrize(
    ("limit", "context", "arguments", "messages"),
    [
        (1000, {}, [], []),
        (
            100,
            {},
            ["-c", "ingestConcurrency=4"],
            ["ingestConcurrency is 4 and not 10, since the account allows only 100"],
        ),
        (
            10,
            {},
            ["-c", "ingestConcurrency=2"],
            ["only 10 concurrent Lambdas, fewer than the 34 of 2 batches", "ingestConcurrency is 2 and not 10"],
        ),
        (100, {"ingestConcurrency": "20"}, [], ["ingestConcurrency is 20, for which up to 340", "100: 4 would fit"]),
        (100, {"ingestConcurrency": "3"}, [], []),
        (
            1000,
            {"ingestMinPollers": "2", "ingestMaxPollers": "8"},
            [],
            ["ingestMaxPollers is 8, for which up to 1360 concurrent Lambdas are needed. The account allows 1000."],
        ),
        (1000, {"ingestMinPollers": "2", "ingestMaxPollers": "4"}, [], []),
    ],
)
def test_the_concurrency_fits_the_accounts_limit(
    limit: int, context: dict[str, str], arguments: list[str], messages: list[str]
) -> None:
    with _running_lambda_endpoint(*_build_limit(limit)) as url:
        actual, lines = fit_ingest_concurrency(client(url, "lambda"), Settings.from_context(context.get), context)
    assert actual == arguments
    assert [message for message in messages if message not in " ".join(lines)] == []
    assert bool(lines) == bool(messages)


def test_a_limit_that_cannot_be_read_stops_nothing() -> None:
    with _running_lambda_endpoint(*DENIED) as url:
        arguments, lines = fit_ingest_concurrency(client(url, "lambda"), Settings(), {})
    assert arguments == []
    assert ["was not compared" in line and "GetAccountSettings" in line for line in lines] == [True]


def test_deploy_passes_what_fits_to_cdk(tmp_path: Path) -> None:
    # In place of Node, a program that writes its arguments, so that the deployment ends before CDK.
    node = tmp_path / "node"
    node.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    node.chmod(0o755)
    npx = tmp_path / "npx"
    npx.write_bytes(node.read_bytes())
    npx.chmod(0o755)
    with _running_lambda_endpoint(*_build_limit(100)) as url:
        result = subprocess.run(
            [sys.executable, "-m", "amberflo_workflows.infra.deploy", "-c", "alarmEmail=ops@example.com"],
            env={
                "PATH": f"{tmp_path}{os.pathsep}{os.defpath}",
                "JSII_NODE": str(node),
                "AWS_ENDPOINT_URL_LAMBDA": url,
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-4:] == ["-c", "ingestConcurrency=4", "-c", "alarmEmail=ops@example.com"]
    assert len(result.stderr.splitlines()) == 1
    assert "the account allows only 100 concurrent Lambdas" in result.stderr
