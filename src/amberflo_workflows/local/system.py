"""The local system: the emulator with the stack in it, and the sandbox beside it."""

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import requests

from amberflo_workflows.infra.app import synth
from amberflo_workflows.infra.bundle import BundleFailed
from amberflo_workflows.infra.node import NodeMissing
from amberflo_workflows.infra.settings import READ_SCOPE, WRITE_SCOPE, InvalidSetting, Settings
from amberflo_workflows.local import emulator as aws
from amberflo_workflows.local import home
from amberflo_workflows.local.deploy import deploy, put_secret
from amberflo_workflows.local.emulator import Emulator
from amberflo_workflows.local.home import RunningState
from amberflo_workflows.local.processes import Server, find_free_port, is_port_free, read_last_lines, spawn
from amberflo_workflows.local.tokens import fetch_access_token
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK, LOOPBACK_SESSION
from amberflo_workflows.sandbox.client import SandboxClient

STACK: Final = "AmberfloMetering"
SECRET: Final = "AmberfloApiKey"  # noqa: S105 - a secret's name is not a secret
LOST_MESSAGE: Final = (
    "The emulator did not end cleanly. What it took in since it was started is lost: queued events, refused usage, "
    "dead events, executions. Usage that was counted is not."
)
MessageCallback = Callable[[str], None]


@dataclass(frozen=True)
class System:
    """A local system that runs."""

    emulator: Emulator
    outputs: dict[str, str]
    sandbox: SandboxClient | None
    sandbox_server: Server | None
    amberflo_url: str

    @property
    def stack(self) -> str:
        """The name of its stack."""
        return STACK

    @property
    def api_endpoint(self) -> str:
        """The HTTP API's address, with a slash at its end."""
        return f"{self.emulator.url}/_aws/execute-api/{self.outputs['HttpApiId']}/$default/"

    @property
    def access_token(self) -> str:
        """A fresh bearer token of the machine client, for reading and changing."""
        return fetch_access_token(self.emulator, self.outputs)

    @property
    def state_machine_arns(self) -> dict[str, str]:
        """ARN of each workflow by its name."""
        arns: dict[str, str] = json.loads(self.outputs["StateMachineArns"])
        return arns

    def client(self, service: str) -> Any:
        """A boto3 client of a service."""
        return self.emulator.client(service)

    def stop(self) -> bool:
        """End everything; false if the emulator could not save what it held."""
        saved = self.emulator.server.end()
        if self.sandbox_server:
            self.sandbox_server.end()
        return saved


def start(
    folder: Path,
    *,
    port: int | None = None,
    wait_scale: float = 1.0,
    environment: Mapping[str, str] = MappingProxyType({}),
    tell: MessageCallback = lambda _: None,
) -> System:
    """Start everything under ``folder`` and deploy the stack; it ends with this process. Raises :class:`OperatorError`.

    With ``AMBERFLO_BASE_URL`` and ``AMBERFLO_API_KEY`` in ``environment`` the system talks to that Amberflo instead
    of a sandbox.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    real_url, key = environment.get("AMBERFLO_BASE_URL"), environment.get("AMBERFLO_API_KEY")
    if bool(real_url) != bool(key):
        raise OperatorError(
            "AMBERFLO_BASE_URL and AMBERFLO_API_KEY go together: set both for the real Amberflo, or neither."
        )
    key = key or _sandbox_key(folder)
    amberflo_url = real_url or f"http://{LOOPBACK}:{_sandbox_port(folder)}"
    with contextlib.ExitStack() as undo, ThreadPoolExecutor() as pool:
        tell("Starting the emulator and the sandbox, synthesising the stack")
        assembly = pool.submit(_synth, folder / "cdk.out", amberflo_url)
        sandbox = None if real_url else _start_sandbox(folder, amberflo_url, key)
        if sandbox:
            undo.callback(sandbox.end)
        emulator = aws.start(folder / "emulator", port=port, wait_scale=wait_scale)
        # An interrupted deployment that is saved could never be updated.
        undo.callback(emulator.server.kill)
        put_secret(emulator, SECRET, {"apiKey": key})
        synthesised = assembly.result()
        tell("Deploying the stack")
        outputs = deploy(emulator, synthesised, STACK)
        # Earlier, queued usage might fail, with a Lambda that is being replaced, and would hide for half an hour.
        aws.enable_queue_consumers(emulator)
        undo.pop_all()
    client = SandboxClient(amberflo_url) if sandbox else None
    return System(emulator, outputs, client, sandbox, amberflo_url)


@contextlib.contextmanager
def running_system(
    folder: Path, *, port: int | None = None, wait_scale: float = 1.0, tell: MessageCallback = lambda _: None
) -> Iterator[System]:
    """A private system, always with a sandbox; it ends with the ``with`` block or with this process.

    Without a ``port`` of its emulator it takes a free one.
    """
    system = start(folder, port=port or find_free_port(), wait_scale=wait_scale, tell=tell)
    try:
        yield system
    finally:
        system.stop()


def up(folder: Path, port: int | None, tell: MessageCallback, warn: MessageCallback) -> System:
    """Start the system that stays, and remember it. Raises :class:`OperatorError`.

    What is left of one of which a part has died is ended first; ``warn`` is told if that has lost anything.
    """
    with home.lock(folder):
        _stop_remains(folder, warn)
        system = start(folder, port=port, environment=os.environ, tell=tell)
        home.save_state(folder, _to_state(system))
        # Had this process been ended before here, they would have ended with it.
        system.emulator.server.let_go()
        if system.sandbox_server:
            system.sandbox_server.let_go()
    return system


def find_running(folder: Path) -> System | None:
    """The system that was started from ``folder`` and still runs, whole; ``None`` if none does."""
    running = home.load_state(folder)
    system = _from_state(running) if running else None
    if system is None or not system.emulator.server.is_alive:
        return None
    return system if system.sandbox_server is None or system.sandbox_server.is_alive else None


def down(folder: Path, warn: MessageCallback) -> bool:
    """End what was started from ``folder``, all of it or what is left; false if nothing was.

    ``warn`` is told if anything was lost.
    """
    with home.lock(folder):
        return _stop_remains(folder, warn)


def describe_dead_part(folder: Path) -> str | None:
    """Which part of the system that was started from ``folder`` has ended by itself, and where to read why."""
    running = home.load_state(folder)
    if running is None:
        return None
    if not Server(running.emulator_pid, running.emulator_started).is_alive:
        return f"the emulator has ended by itself, see {folder / 'emulator' / 'emulator.log'}"
    if running.sandbox_pid and not Server(running.sandbox_pid, running.sandbox_started).is_alive:
        return f"the sandbox has ended by itself, see {folder / 'sandbox.log'}"
    return None


def _stop_remains(folder: Path, warn: MessageCallback) -> bool:
    running = home.load_state(folder)
    if running is None:
        return False
    if not _from_state(running).stop():
        warn(LOST_MESSAGE)
    aws.delete_saved_secrets(folder / "emulator")
    home.delete_state(folder)
    return True


def _from_state(running: RunningState) -> System:
    emulator = Emulator(running.emulator_url, Server(running.emulator_pid, running.emulator_started))
    sandbox = SandboxClient(running.sandbox_url) if running.sandbox_url else None
    server = Server(running.sandbox_pid, running.sandbox_started) if running.sandbox_pid else None
    return System(emulator, running.outputs, sandbox, server, running.amberflo_url)


def _to_state(system: System) -> RunningState:
    sandbox = system.sandbox_server
    return RunningState(
        emulator_pid=system.emulator.server.pid,
        emulator_started=system.emulator.server.started,
        emulator_url=system.emulator.url,
        sandbox_pid=sandbox.pid if sandbox else 0,
        sandbox_started=sandbox.started if sandbox else 0,
        sandbox_url=system.amberflo_url if sandbox else "",
        amberflo_url=system.amberflo_url,
        outputs=system.outputs,
    )


def _synth(outdir: Path, amberflo_url: str) -> Path:
    try:
        settings = Settings(
            stack_name=STACK,
            amberflo_api_key_secret_name=SECRET,
            amberflo_base_url=amberflo_url,
            # So that a token for reading only can be tried.
            read_scope=READ_SCOPE,
            write_scope=WRITE_SCOPE,
        )
        return synth("local", outdir, settings)
    except (InvalidSetting, BundleFailed, NodeMissing) as error:
        raise OperatorError(str(error)) from None


def _sandbox_key(folder: Path) -> str:
    """The sandbox's own key, made once: what it keeps outlives a restart, so its key does too."""
    path = folder / "sandbox.key"
    if not path.exists():
        home.write_atomically(path, secrets.token_hex(16))
    return path.read_text()


def _sandbox_port(folder: Path) -> int:
    """The port that the sandbox had last, if it is free: an unchanged address is an unchanged stack."""
    path = folder / "sandbox.port"
    if not path.exists() or not is_port_free(int(path.read_text())):
        home.write_atomically(path, str(find_free_port()))
    return int(path.read_text())


def _start_sandbox(folder: Path, url: str, key: str) -> Server:
    log, port = folder / "sandbox.log", url.rsplit(":", 1)[1]
    server = spawn(
        "amberflo_workflows.sandbox",
        *("--port", port, "--data", str(folder / "sandbox.duckdb")),
        environment={"PATH": os.defpath, "LANG": "C.UTF-8", "SANDBOX_API_KEY": key},
        folder=folder,
        log=log,
    )
    deadline = time.monotonic() + aws.MAX_STARTUP_SECONDS
    while time.monotonic() < deadline and server.is_alive:
        with contextlib.suppress(requests.RequestException):
            if server.listens(int(port)) and LOOPBACK_SESSION.get(f"{url}/_sandbox/health", timeout=2).ok:
                return server
        time.sleep(0.05)
    server.end()
    raise OperatorError(f"The sandbox did not start; the end of its log {log}:\n{read_last_lines(log)}")
