"""The AWS emulator: MiniStack on loopback, with its state in a folder."""

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.local.home import write_atomically
from amberflo_workflows.local.processes import Server, find_free_port, is_port_free, python_path, read_last_lines, spawn
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK, loopback_session

DEFAULT_PORT: Final = 4566
REGION: Final = "us-east-1"
MAX_STARTUP_SECONDS: Final = 60.0
_NO_PROFILE: Final = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}
_EXITED_MESSAGE: Final = "The emulator stopped during startup. The end of its log {log}:\n{lines}"


@dataclass(frozen=True)
class Emulator:
    """A running emulator at ``url``."""

    url: str
    server: Server

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which AWS SDKs call the emulator."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            # On AWS, StartSyncExecution has another host name.
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        }

    def client(self, service: str) -> Any:
        """A boto3 client of a service."""
        return client(self.url, service)

    def stop(self) -> bool:
        """Stop the emulator; false if it could not save its state.

        It saves it after all executions have ended. Those whose Lambdas are killed for this retry them, without waits.
        """
        if self.server.is_alive:
            # The errors of requests are OSErrors.
            with contextlib.suppress(OSError):
                scale = {"stepfunctions._SFN_WAIT_SCALE": 0}
                loopback_session().post(f"{self.url}/_ministack/config", json=scale, timeout=2)
        return self.server.stop()


@cache
def client(url: str, service: str) -> Any:
    """Return a boto3 client of a service of an emulator; cached, since creating one takes 0.1 seconds."""
    import boto3  # noqa: PLC0415 - takes 0.3 seconds, and most commands do not need it
    from botocore.config import Config  # noqa: PLC0415 - slow to import, and not always needed
    from botocore.session import Session  # noqa: PLC0415 - slow to import, and not always needed

    # The user's profile and settings are for AWS, not for the emulator.
    session = Session({name: (None, None, value, None) for name, value in _NO_PROFILE.items()})
    # The type stubs accept only literal service names.
    create_client: Any = boto3.Session(botocore_session=session).client
    return create_client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator accepts any
        config=Config(inject_host_prefix=False, proxies={}, read_timeout=300, retries={"total_max_attempts": 1}),
    )


def choose_port(requested: int | None) -> int:
    """Return the requested port, or the default, or any free one.

    Raises :class:`OperatorError` if the requested port is in use.
    """
    if requested is not None and not is_port_free(requested):
        raise OperatorError(f"Port {requested} is in use. Choose another with --port, or omit it to use a free port.")
    if requested is not None:
        return requested
    return DEFAULT_PORT if is_port_free(DEFAULT_PORT) else find_free_port()


def start(folder: Path, *, port: int | None, wait_scale: float = 1.0) -> Emulator:
    """Start an emulator with its state in ``folder`` and wait until it responds. Raises :class:`OperatorError`.

    It ends with this process, unless its server is detached. Without a ``port`` it uses the default one, or any free
    one. ``wait_scale`` multiplies the waits of workflows; 0 skips them.
    """
    chosen_port = choose_port(port)
    try:
        return _start(folder, chosen_port, wait_scale)
    except OperatorError:
        if port is not None or is_port_free(chosen_port):
            raise
        # Another process took the port since it was chosen.
        return _start(folder, find_free_port(), wait_scale)


def _start(folder: Path, port: int, wait_scale: float) -> Emulator:
    folders = {name: folder / name for name in ("tmp", "state", "s3")}
    # Lambda code that an earlier emulator unpacked.
    shutil.rmtree(folders["tmp"], ignore_errors=True)
    for path in folders.values():
        path.mkdir(parents=True, exist_ok=True)
    _prepare_queues(folders["state"] / "sqs.json", port)
    _disable_queue_consumers(folders["state"] / "lambda.json")
    url, log = f"http://{LOOPBACK}:{port}", folder / "emulator.log"
    environment = _environment(folders, port, wait_scale)
    server = spawn("amberflo_workflows.local.emulator_server", environment=environment, folder=folder, log=log)
    try:
        _wait_until_ready(url, port, server, log)
    except BaseException:
        server.kill()
        raise
    return Emulator(url, server)


@contextlib.contextmanager
def running_emulator(folder: Path, *, wait_scale: float = 1.0) -> Iterator[Emulator]:
    """Run an emulator on a free port until the ``with`` block or this process ends."""
    emulator = start(folder, port=find_free_port(), wait_scale=wait_scale)
    try:
        yield emulator
    finally:
        emulator.stop()


def enable_queue_consumers(emulator: Emulator) -> None:
    """Enable the Lambda functions' queue consumers, which an emulator with saved state starts without."""
    functions = emulator.client("lambda")
    pages = functions.get_paginator("list_event_source_mappings").paginate()
    for mapping in pages.search("EventSourceMappings[]"):
        if mapping["State"] != "Enabled":
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def delete_saved_secrets(folder: Path) -> None:
    """Delete the secrets, one of them Amberflo's API key, from the saved state of a stopped emulator."""
    (folder / "state" / "secretsmanager.json").unlink(missing_ok=True)


def _prepare_queues(state_file: Path, port: int) -> None:
    """Make the messages of the saved queues visible and change the queues' URLs to the new port.

    Messages in flight when the emulator stopped would stay hidden for their visibility timeout, half an hour. The
    emulator finds the queue of a consumer by its URL, so a queue with the URL of another port would have no consumer.
    """
    if not state_file.exists():
        return
    state = json.loads(state_file.read_text())
    queues, urls = state["payload"]["queues"], state["payload"]["queue_name_to_url"]
    for queue in queues["data"].values():
        queue["url"] = _change_port(queue["url"], port)
        for message in queue["messages"]:
            message["visible_at"] = 0
    queues["data"] = {_change_port(key, port): queue for key, queue in queues["data"].items()}
    urls["data"] = {key: _change_port(url, port) for key, url in urls["data"].items()}
    write_atomically(state_file, json.dumps(state))


def _change_port(queue_url: str, port: int) -> str:
    return re.sub(r"(http://[^/:]+):\d+", rf"\g<1>:{port}", queue_url)


def _disable_queue_consumers(state_file: Path) -> None:
    """Keep a stack that is about to be updated from taking messages of a queue: see :func:`enable_queue_consumers`."""
    if not state_file.exists():
        return
    state = json.loads(state_file.read_text())
    for mapping in state["payload"]["esms"]["data"].values():
        mapping |= {"Enabled": False, "State": "Disabled"}
    write_atomically(state_file, json.dumps(state))


def _environment(folders: dict[str, Path], port: int, wait_scale: float) -> dict[str, str]:
    """Build the environment of the emulator and its Lambdas, with no variable of the user's environment."""
    return {
        "PATH": os.defpath,
        "PYTHON": python_path(),
        "LANG": "C.UTF-8",
        # Otherwise boto3 in a Lambda would read the AWS settings in the user's home.
        "HOME": str(folders["tmp"]),
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "localhost",
        "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "S3_PERSIST": "1",
        "SFN_WAIT_SCALE": str(wait_scale),
        "TMPDIR": str(folders["tmp"]),
        "STATE_DIR": str(folders["state"]),
        "S3_DATA_DIR": str(folders["s3"]),
    }


def _wait_until_ready(url: str, port: int, server: Server, log: Path) -> None:
    deadline = time.monotonic() + MAX_STARTUP_SECONDS
    while time.monotonic() < deadline:
        if not server.is_alive:
            raise OperatorError(_EXITED_MESSAGE.format(log=log, lines=read_last_lines(log)))
        # The errors of requests are OSErrors.
        with contextlib.suppress(OSError):
            if server.listens_on(port) and loopback_session().get(f"{url}/_ministack/health", timeout=2).ok:
                return
        time.sleep(0.05)
    raise OperatorError(f"The emulator does not respond at {url}. See its log {log}.")
