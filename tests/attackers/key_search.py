"""Search everything that a system stores, returns or runs with for a secret, in every encoding that may hide it."""

import base64
import binascii
import contextlib
import hashlib
import os
import re
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from amberflo_workflows.local.system import System

GZIP, GZIP_IN_BASE64 = b"\x1f\x8b\x08", re.compile(rb"H4sI[A-Za-z0-9+/_-]+")
MAX_DECOMPRESSED_BYTES = 50_000_000


def find_encodings(data: bytes, secret: str) -> set[str]:
    """The encodings in which ``data`` contains ``secret``.

    The secret has letters and digits only, which JSON, HTML and URLs leave as they are.
    """
    encodings = {name for name, text in _encode(secret.encode()) if text in data}
    if any(find_encodings(content, secret) for content in _decompress(data)):
        encodings.add("gzip")
    return encodings


@dataclass
class Search:
    """The search for one secret. What many places contain, such as the code of the Lambdas, is searched once."""

    secret: str
    _results: dict[bytes, set[str]] = field(default_factory=dict, repr=False)

    def find_encodings(self, data: bytes) -> set[str]:
        """As :func:`find_encodings`."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._results:
            self._results[digest] = find_encodings(data, self.secret)
        return self._results[digest]


def _encode(secret: bytes) -> Iterator[tuple[str, bytes]]:
    yield "plain", secret
    yield "hex", secret.hex().encode()
    yield "hex", secret.hex().upper().encode()
    for offset in range(3):
        # Without the characters at both ends that depend on the neighbouring bytes.
        start, end = -(-offset * 8 // 6), (offset + len(secret)) * 8 // 6
        yield f"base64, {offset}", base64.b64encode(bytes(offset) + secret)[start:end]


def _decompress(data: bytes) -> Iterator[bytes]:
    """The content of every gzip stream in ``data``, whether raw or in base64."""
    for match in re.finditer(re.escape(GZIP), data):
        yield _gunzip(data[match.start() :])
    for text in GZIP_IN_BASE64.findall(data):
        standard = text.replace(b"-", b"+").replace(b"_", b"/")
        yield _gunzip(binascii.a2b_base64(standard[: len(standard) // 4 * 4]))


def _gunzip(data: bytes) -> bytes:
    """The content of a gzip stream; empty if ``data`` is not one."""
    try:
        return zlib.decompressobj(wbits=31).decompress(data, MAX_DECOMPRESSED_BYTES)
    except zlib.error:
        return b""


def read_places(system: System, folder: Path, since: float) -> Iterator[tuple[str, bytes]]:
    """Everything about a running system, as pairs of a place and its content."""
    yield from _read_step_functions(system)
    yield from _read_services(system)
    yield from _read_processes(system)
    if system.sandbox:
        yield "sandbox", f"{system.sandbox.requests()} {system.sandbox.faults()} {system.sandbox.customers()}".encode()
    yield from read_files(folder)
    for path in Path(tempfile.gettempdir()).iterdir():
        # Temporary files of the system. The folders of other tests have names with this prefix.
        if not path.name.startswith("pytest-of-"):
            yield from read_files(path, since)


def read_files(folder: Path, since: float = 0) -> Iterator[tuple[str, bytes]]:
    """All files in a folder, or the one file, that were written at or after ``since`` (Unix time in seconds)."""
    paths = (Path(parent) / name for parent, _, names in os.walk(folder) for name in names)
    for path in [folder] if folder.is_file() else paths:
        # Other programs delete and protect files in the temporary folder at any time.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= since:
                yield f"file {path.relative_to(folder.parent)}", path.read_bytes()


def _read_step_functions(system: System) -> Iterator[tuple[str, bytes]]:
    sfn = system.client("stepfunctions")
    for name, arn in system.state_machine_arns.items():
        yield f"machine {name}", str(sfn.describe_state_machine(stateMachineArn=arn)).encode()
        for execution in _list_all(sfn, "list_executions", "executions", stateMachineArn=arn):
            description = sfn.describe_execution(executionArn=execution["executionArn"])
            history = _list_all(sfn, "get_execution_history", "events", executionArn=execution["executionArn"])
            yield f"execution {name} {execution['name']}", f"{description} {history}".encode()


def _read_services(system: System) -> Iterator[tuple[str, bytes]]:
    logs, dynamodb, s3, sqs = (system.client(name) for name in ("logs", "dynamodb", "s3", "sqs"))
    for group in _list_all(logs, "describe_log_groups", "logGroups"):
        events = _list_all(logs, "filter_log_events", "events", logGroupName=group["logGroupName"])
        yield f"log {group['logGroupName']}", "\n".join(event["message"] for event in events).encode()
    for url in sqs.list_queues()["QueueUrls"]:
        yield f"queue {url}", str(_read_messages(sqs, url)).encode()
    for table in _list_all(dynamodb, "list_tables", "TableNames"):
        items = _list_all(dynamodb, "scan", "Items", TableName=table)
        # Compressed originals are binary attributes, which str() would escape.
        yield f"table {table}", str(items).encode() + b"".join(_binary_values(items))
    for bucket in s3.list_buckets()["Buckets"]:
        for item in _list_all(s3, "list_objects_v2", "Contents", Bucket=bucket["Name"]):
            yield f"object {item['Key']}", s3.get_object(Bucket=bucket["Name"], Key=item["Key"])["Body"].read()
    for function in _list_all(system.client("lambda"), "list_functions", "Functions"):
        yield f"function {function['FunctionName']}", str(function).encode()
    cloudformation = system.client("cloudformation")
    yield "template", str(cloudformation.get_template(StackName=system.stack)).encode()
    yield "outputs", str(cloudformation.describe_stacks(StackName=system.stack)).encode()
    for parameter in _list_all(system.client("ssm"), "describe_parameters", "Parameters"):
        yield f"parameter {parameter['Name']}", str(parameter).encode()


def _read_processes(system: System) -> Iterator[tuple[str, bytes]]:
    """Command lines and environments of this process and of every process below it."""
    own = psutil.Process()
    for process in [own, *own.children(recursive=True)]:
        role = "sandbox" if system.sandbox_server and process.pid == system.sandbox_server.pid else str(process.pid)
        # Idle workers of the emulator may end at any time.
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            yield f"command line {role}", "\0".join(process.cmdline()).encode()
            # psutil stops at the first entry without an equals sign.
            yield f"environment {role}", Path(f"/proc/{process.pid}/environ").read_bytes()


def _read_messages(sqs: Any, url: str) -> list[Any]:
    """All messages of a queue, which are visible again afterwards."""
    messages: list[Any] = []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=30).get("Messages"):
        messages += batch
    for message in messages:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return messages


def _binary_values(items: list[Any]) -> Iterator[bytes]:
    for item in items:
        for value in item.values():
            if "B" in value:
                yield bytes(value["B"])


def _list_all(client: Any, operation: str, member: str, **arguments: Any) -> list[Any]:
    """The elements of ``member`` from all pages of an operation."""
    pages = client.get_paginator(operation).paginate(**arguments)
    return [element for page in pages for element in page.get(member, [])]
