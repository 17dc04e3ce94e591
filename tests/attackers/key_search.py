"""Look for a secret in everything that a system keeps, tells or runs with, in whatever form it may lie about."""

import base64
import binascii
import contextlib
import os
import re
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from amberflo_workflows.local.system import System

GZIP, GZIP_IN_BASE64 = b"\x1f\x8b\x08", re.compile(rb"H4sI[A-Za-z0-9+/_-]+")
MOST_INFLATED = 50_000_000


def forms_found(data: bytes, secret: str) -> set[str]:
    """In which forms a secret of letters and digits is in ``data``. To JSON, HTML and addresses it is plain text."""
    found = {form for form, text in _forms(secret.encode()) if text in data}
    for packed in _packed(data):
        if forms_found(packed, secret):
            found.add("gzip")
    return found


def _forms(secret: bytes) -> Iterator[tuple[str, bytes]]:
    yield "plain", secret
    yield "hex", secret.hex().encode()
    yield "hex", secret.hex().upper().encode()
    for offset in range(3):
        # Less the characters at both ends that hang on what stands beside it.
        begin, end = -(-offset * 8 // 6), (offset + len(secret)) * 8 // 6
        yield f"base64, {offset}", base64.b64encode(bytes(offset) + secret)[begin:end]


def _packed(data: bytes) -> Iterator[bytes]:
    for begin in re.finditer(re.escape(GZIP), data):
        yield _inflated(data[begin.start() :])
    for text in GZIP_IN_BASE64.findall(data):
        standard = text.replace(b"-", b"+").replace(b"_", b"/")
        yield _inflated(binascii.a2b_base64(standard[: len(standard) // 4 * 4]))


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(data, MOST_INFLATED)
    except zlib.error:
        return b""


def places(system: System, folder: Path, since: float) -> Iterator[tuple[str, bytes]]:
    """Everything about a system that runs, as pairs of a place and what is in it."""
    yield from _of_step_functions(system)
    yield from _of_services(system)
    yield from _of_processes(system)
    if system.sandbox:
        yield "sandbox", f"{system.sandbox.requests()} {system.sandbox.faults()} {system.sandbox.customers()}".encode()
    yield from files(folder)
    for path in Path(tempfile.gettempdir()).iterdir():
        # What the run has left in the machine's own folder; other tests have theirs below.
        if not path.name.startswith("pytest-of-"):
            yield from files(path, since)


def files(folder: Path, since: float = 0) -> Iterator[tuple[str, bytes]]:
    """All files in a folder, and a file itself, that were written ``since``."""
    within = (Path(parent) / name for parent, _, names in os.walk(folder) for name in names)
    for path in [folder] if folder.is_file() else within:
        # What others have taken away meanwhile, or keep to themselves, is not of the run.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= since:
                yield f"file {path.relative_to(folder.parent)}", path.read_bytes()


def _of_step_functions(system: System) -> Iterator[tuple[str, bytes]]:
    sfn = system.client("stepfunctions")
    for name, arn in system.state_machine_arns.items():
        yield f"machine {name}", str(sfn.describe_state_machine(stateMachineArn=arn)).encode()
        for execution in _all(sfn, "list_executions", "executions", stateMachineArn=arn):
            told = [sfn.describe_execution(executionArn=execution["executionArn"])]
            told += _all(sfn, "get_execution_history", "events", executionArn=execution["executionArn"])
            yield f"execution {name} {execution['name']}", str(told).encode()


def _of_services(system: System) -> Iterator[tuple[str, bytes]]:
    logs, dynamodb, s3, sqs = (system.client(name) for name in ("logs", "dynamodb", "s3", "sqs"))
    for group in _all(logs, "describe_log_groups", "logGroups"):
        events = _all(logs, "filter_log_events", "events", logGroupName=group["logGroupName"])
        yield f"log {group['logGroupName']}", "\n".join(event["message"] for event in events).encode()
    for url in sqs.list_queues()["QueueUrls"]:
        yield f"queue {url}", str(_messages(sqs, url)).encode()
    for table in _all(dynamodb, "list_tables", "TableNames"):
        items = _all(dynamodb, "scan", "Items", TableName=table)
        # Compressed originals are bytes, not text.
        yield f"table {table}", str(items).encode() + b"".join(_binaries(items))
    for bucket in s3.list_buckets()["Buckets"]:
        for one in _all(s3, "list_objects_v2", "Contents", Bucket=bucket["Name"]):
            yield f"object {one['Key']}", s3.get_object(Bucket=bucket["Name"], Key=one["Key"])["Body"].read()
    for function in _all(system.client("lambda"), "list_functions", "Functions"):
        yield f"function {function['FunctionName']}", str(function).encode()
    cloudformation = system.client("cloudformation")
    yield "template", str(cloudformation.get_template(StackName=system.stack)).encode()
    yield "outputs", str(cloudformation.describe_stacks(StackName=system.stack)).encode()
    for parameter in _all(system.client("ssm"), "describe_parameters", "Parameters"):
        yield f"parameter {parameter['Name']}", str(parameter).encode()


def _of_processes(system: System) -> Iterator[tuple[str, bytes]]:
    """Command lines and environments of ours and of all that ours have started."""
    ours = psutil.Process()
    for process in [ours, *ours.children(recursive=True)]:
        role = "sandbox" if system.sandbox_server and process.pid == system.sandbox_server.pid else str(process.pid)
        yield f"command line {role}", "\0".join(process.cmdline()).encode()
        # Not by psutil: it would leave out what stands behind the first entry that is none.
        yield f"environment {role}", Path(f"/proc/{process.pid}/environ").read_bytes()


def _messages(sqs: Any, url: str) -> list[Any]:
    found: list[Any] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=30).get("Messages"):
        found += messages
    for message in found:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return found


def _binaries(items: list[Any]) -> Iterator[bytes]:
    for item in items:
        for value in item.values():
            if "B" in value:
                yield bytes(value["B"])


def _all(client: Any, operation: str, members: str, **arguments: Any) -> list[Any]:
    pages = client.get_paginator(operation).paginate(**arguments)
    return [one for page in pages for one in page.get(members, [])]
