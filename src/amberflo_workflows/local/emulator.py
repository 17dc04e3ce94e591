"""The AWS emulator: MiniStack on loopback, with its state in a folder of its own."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import requests

from amberflo_workflows.local.home import write_atomically
from amberflo_workflows.local.processes import Server, find_free_port, is_port_free, python_path, read_last_lines, spawn
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK, LOOPBACK_SESSION

DEFAULT_PORT: Final = 4566
REGION: Final = "us-east-1"
MAX_STARTUP_SECONDS: Final = 60.0
_NO_PROFILE: Final = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}
_EXITED_MESSAGE: Final = "The emulator ended while it started; the end of its log {log}:\n{lines}"


@dataclass(frozen=True)
class Emulator:
    """An emulator that answers at ``url``."""

    url: str
    server: Server

    @property
    def environment(self) -> dict[str, str]:
        """What points an AWS SDK at it; the credentials are those that it takes for nobody's."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            # StartSyncExecution goes to a host of its own on AWS.
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        }

    def client(self, service: str) -> Any:
        """A boto3 client of a service."""
        return client(self.url, service)


@cache
def client(url: str, service: str) -> Any:
    """A boto3 client of a service at an emulator's address; one for all, since making one takes a tenth of a second."""
    import boto3  # noqa: PLC0415 - a third of a second that most commands need not wait
    from botocore.config import Config  # noqa: PLC0415 - as above
    from botocore.session import Session  # noqa: PLC0415 - as above

    # The user's own profile and settings are for their own AWS.
    own = Session({name: (None, None, value, None) for name, value in _NO_PROFILE.items()})
    # The type stubs know each service by its literal name only.
    make: Any = boto3.Session(botocore_session=own).client
    return make(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator takes any
        config=Config(inject_host_prefix=False, proxies={}, read_timeout=300, retries={"total_max_attempts": 1}),
    )


def choose_port(asked: int | None) -> int:
    """The requested port, else the default, else any. Raises :class:`OperatorError` if the requested one is taken."""
    if asked is not None and not is_port_free(asked):
        raise OperatorError(
            f"Port {asked} is taken. Choose another with --port, or leave it out to have a free one chosen."
        )
    if asked is not None:
        return asked
    return DEFAULT_PORT if is_port_free(DEFAULT_PORT) else find_free_port()


def start(folder: Path, *, port: int | None, wait_scale: float = 1.0) -> Emulator:
    """Start an emulator with its state under ``folder`` and wait until it answers. Raises :class:`OperatorError`.

    It ends with this process, unless its server is let go. Without a ``port`` it takes the usual one, or any.
    ``wait_scale`` shortens the waits of workflows; 0 leaves them out.
    """
    chosen = choose_port(port)
    try:
        return _start(folder, chosen, wait_scale)
    except OperatorError:
        if port is not None or is_port_free(chosen):
            raise
        # Another system that was started at the same moment was faster.
        return _start(folder, find_free_port(), wait_scale)


def _start(folder: Path, port: int, wait_scale: float) -> Emulator:
    folders = {name: folder / name for name in ("tmp", "state", "s3")}
    # Unpacked Lambda code of an earlier run.
    shutil.rmtree(folders["tmp"], ignore_errors=True)
    for path in folders.values():
        path.mkdir(parents=True, exist_ok=True)
    _make_messages_visible(folders["state"] / "sqs.json")
    _disable_queue_consumers(folders["state"] / "lambda.json")
    url, log = f"http://{LOOPBACK}:{port}", folder / "emulator.log"
    server = spawn("ministack", environment=_environment(folders, port, wait_scale), folder=folder, log=log)
    try:
        _wait_until_ready(url, port, server, log)
    except BaseException:
        server.kill()
        raise
    return Emulator(url, server)


@contextlib.contextmanager
def running_emulator(folder: Path, *, wait_scale: float = 1.0) -> Iterator[Emulator]:
    """A private emulator on a free port, which ends with the ``with`` block or with this process."""
    emulator = start(folder, port=find_free_port(), wait_scale=wait_scale)
    try:
        yield emulator
    finally:
        emulator.server.end()


def enable_queue_consumers(emulator: Emulator) -> None:
    """Hand queued messages out, which an emulator with an earlier state does not do by itself."""
    functions = emulator.client("lambda")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        if mapping["State"] != "Enabled":
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def delete_saved_secrets(folder: Path) -> None:
    """Take the secrets, among them Amberflo's key, out of what a stopped emulator saved."""
    (folder / "state" / "secretsmanager.json").unlink(missing_ok=True)


def _make_messages_visible(saved: Path) -> None:
    """Messages at work when the emulator stopped would stay hidden for their visibility time, half an hour."""
    if not saved.exists():
        return
    state = json.loads(saved.read_text())
    for queue in state["payload"]["queues"]["data"].values():
        for message in queue["messages"]:
            message["visible_at"] = 0
    write_atomically(saved, json.dumps(state))


def _disable_queue_consumers(saved: Path) -> None:
    """Keep a stack that is about to be updated from taking messages of a queue: see :func:`enable_queue_consumers`."""
    if not saved.exists():
        return
    state = json.loads(saved.read_text())
    for mapping in state["payload"]["esms"]["data"].values():
        mapping |= {"Enabled": False, "State": "Disabled"}
    write_atomically(saved, json.dumps(state))


def _environment(folders: dict[str, Path], port: int, wait_scale: float) -> dict[str, str]:
    """All that the emulator and the Lambdas in it see of this machine's environment: nothing of the user's own."""
    return {
        "PATH": os.defpath,
        "PYTHON": python_path(),
        "LANG": "C.UTF-8",
        # Without it boto3 in a Lambda would look up the user's own home and read their AWS settings.
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
        with contextlib.suppress(requests.RequestException):
            if server.listens(port) and LOOPBACK_SESSION.get(f"{url}/_ministack/health", timeout=2).ok:
                return
        time.sleep(0.05)
    raise OperatorError(f"The emulator does not answer at {url}; see its log {log}.")
