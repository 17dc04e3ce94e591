"""The local system: the emulator with the deployed stack, and the sandbox."""

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

from amberflo_workflows.infra.settings import READ_SCOPE, WRITE_SCOPE, InvalidSetting, Settings
from amberflo_workflows.local import emulator as aws
from amberflo_workflows.local import home
from amberflo_workflows.local.deploy import deploy, put_secret
from amberflo_workflows.local.emulator import Emulator
from amberflo_workflows.local.home import RunningState
from amberflo_workflows.local.processes import Server, find_free_port, is_port_free, read_last_lines, spawn
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK, loopback_session
from amberflo_workflows.sandbox.client import SandboxClient

STACK: Final = "AmberfloMetering"
SECRET: Final = "AmberfloApiKey"  # noqa: S105 - a secret's name is not a secret
LOST_MESSAGE: Final = (
    "The emulator was not stopped cleanly. Its data since its start is lost: queued events, rejected usage, "
    "dead events, executions. Usage that was counted is not lost."
)
MessageCallback = Callable[[str], None]


@dataclass(frozen=True)
class System:
    """A running local system."""

    emulator: Emulator
    outputs: dict[str, str]
    sandbox: SandboxClient | None
    sandbox_server: Server | None
    amberflo_url: str

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return STACK

    @property
    def api_endpoint(self) -> str:
        """The URL of the HTTP API, with a slash at the end."""
        return f"{self.emulator.url}/_aws/execute-api/{self.outputs['HttpApiId']}/$default/"

    @property
    def access_token(self) -> str:
        """A new bearer token of the machine client, with the read and the write scope."""
        from amberflo_workflows.local.tokens import fetch_access_token  # noqa: PLC0415 - slow to import, and not always needed

        return fetch_access_token(self.emulator, self.outputs)

    @property
    def state_machine_arns(self) -> dict[str, str]:
        """The ARN of each workflow by its name."""
        arns: dict[str, str] = json.loads(self.outputs["StateMachineArns"])
        return arns

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service."""
        return self.emulator.client(service)

    def stop(self) -> bool:
        """Stop all processes; false if the emulator could not save its state."""
        saved = self.emulator.stop()
        if self.sandbox_server:
            self.sandbox_server.stop()
        return saved


def start(
    folder: Path,
    *,
    port: int | None = None,
    wait_scale: float = 1.0,
    check_meter_names: bool = True,
    environment: Mapping[str, str] = MappingProxyType({}),
    on_progress: MessageCallback = lambda _: None,
) -> System:
    """Start a system in ``folder`` and deploy the stack; it ends with this process. Raises :class:`OperatorError`.

    Without ``check_meter_names`` usage under a meter that does not exist is not rejected. With ``AMBERFLO_BASE_URL``
    and ``AMBERFLO_API_KEY`` in ``environment`` the system calls that Amberflo instead of a sandbox.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    real_url, key = environment.get("AMBERFLO_BASE_URL"), environment.get("AMBERFLO_API_KEY")
    if bool(real_url) != bool(key):
        raise OperatorError(
            "Set both AMBERFLO_BASE_URL and AMBERFLO_API_KEY for the real Amberflo, or neither for the sandbox."
        )
    key = key or _sandbox_key(folder)
    amberflo_url = real_url or f"http://{LOOPBACK}:{_sandbox_port(folder)}"
    with contextlib.ExitStack() as undo, ThreadPoolExecutor() as pool:
        on_progress("Starting the emulator and the sandbox, synthesising the stack")
        assembly = pool.submit(_write_assembly, folder / "cdk.out", real_url, amberflo_url, check_meter_names)
        sandbox = None if real_url else _start_sandbox(folder, amberflo_url, key)
        if sandbox:
            undo.callback(sandbox.stop)
        emulator = aws.start(folder / "emulator", port=port, wait_scale=wait_scale)
        # Not stop(): an incomplete stack in the saved state could never be updated.
        undo.callback(emulator.server.kill)
        put_secret(emulator, SECRET, {"apiKey": key})
        assembly_path = assembly.result()
        on_progress("Deploying the stack")
        outputs = deploy(emulator, assembly_path, STACK)
        # Only now: a Lambda that is being replaced could fail, and its messages would stay hidden for half an hour.
        aws.enable_queue_consumers(emulator)
        undo.pop_all()
    client = SandboxClient(amberflo_url) if sandbox else None
    return System(emulator, outputs, client, sandbox, amberflo_url)


@contextlib.contextmanager
def running_system(
    folder: Path, *, port: int | None = None, wait_scale: float = 1.0, on_progress: MessageCallback = lambda _: None
) -> Iterator[System]:
    """Run a system with a sandbox until the ``with`` block or this process ends.

    Without a ``port``, its emulator uses a free one.
    """
    system = start(folder, port=port or find_free_port(), wait_scale=wait_scale, on_progress=on_progress)
    try:
        yield system
    finally:
        system.stop()


def up(
    folder: Path,
    port: int | None,
    on_progress: MessageCallback,
    on_warning: MessageCallback,
    *,
    check_meter_names: bool = True,
) -> System:
    """Start a system that outlives this process, and store its state. Raises :class:`OperatorError`.

    First stops what still runs of an earlier system; ``on_warning`` is called if that one lost data.
    """
    with home.lock(folder):
        _stop_remains(folder, on_warning)
        system = start(
            folder, port=port, check_meter_names=check_meter_names, environment=os.environ, on_progress=on_progress
        )
        home.save_state(folder, _to_state(system))
        # Until here, the servers end if this process is killed.
        system.emulator.server.detach()
        if system.sandbox_server:
            system.sandbox_server.detach()
    return system


def find_running(folder: Path) -> System | None:
    """Return the running system of ``folder``, or ``None`` if it or a part of it does not run."""
    running = home.load_state(folder)
    system = _from_state(running) if running else None
    if system is None or not system.emulator.server.is_alive:
        return None
    return system if system.sandbox_server is None or system.sandbox_server.is_alive else None


def down(folder: Path, on_warning: MessageCallback) -> bool:
    """Stop the system of ``folder``, or what still runs of it; false if there is none.

    ``on_warning`` is called if data was lost.
    """
    with home.lock(folder):
        return _stop_remains(folder, on_warning)


def describe_dead_part(folder: Path) -> str | None:
    """Describe which part of the system of ``folder`` stopped unexpectedly, and name its log; ``None`` if none did."""
    running = home.load_state(folder)
    if running is None:
        return None
    if not Server(running.emulator_pid, running.emulator_started).is_alive:
        return f"the emulator stopped unexpectedly, see {folder / 'emulator' / 'emulator.log'}"
    if running.sandbox_pid and not Server(running.sandbox_pid, running.sandbox_started).is_alive:
        return f"the sandbox stopped unexpectedly, see {folder / 'sandbox.log'}"
    return None


def _stop_remains(folder: Path, on_warning: MessageCallback) -> bool:
    running = home.load_state(folder)
    if running is None:
        return False
    if not _from_state(running).stop():
        on_warning(LOST_MESSAGE)
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


def _write_assembly(outdir: Path, real_url: str | None, sandbox_url: str, check_meter_names: bool) -> Path:
    from amberflo_workflows.local.assembly import PLACEHOLDER, write_assembly  # noqa: PLC0415 - slow to import, and not always needed

    try:
        settings = Settings(
            stack_name=STACK,
            amberflo_api_key_secret_name=SECRET,
            amberflo_base_url=real_url or PLACEHOLDER,
            check_meter_names=check_meter_names,
            # The sandbox reports usage at once.
            reconcile_lag_hours=Settings.reconcile_lag_hours if real_url else 0,
            # With scopes, so that a token with only one of them can be tested.
            read_scope=READ_SCOPE,
            write_scope=WRITE_SCOPE,
        )
    except InvalidSetting as error:
        raise OperatorError(str(error)) from None
    return write_assembly(outdir, settings, sandbox_url)


def _sandbox_key(folder: Path) -> str:
    """Return the sandbox's API key; created once, since the sandbox keeps its data after a restart."""
    path = folder / "sandbox.key"
    if not path.exists():
        home.write_atomically(path, secrets.token_hex(16))
    return path.read_text()


def _sandbox_port(folder: Path) -> int:
    """Return the sandbox's last port if it is free, since a new address would change the stack."""
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
        # The errors of requests are OSErrors.
        with contextlib.suppress(OSError):
            if server.listens_on(int(port)) and loopback_session().get(f"{url}/_sandbox/health", timeout=2).ok:
                return server
        time.sleep(0.05)
    server.stop()
    raise OperatorError(f"The sandbox did not start. The end of its log {log}:\n{read_last_lines(log)}")
