"""The local system answers to programs on this machine and to nobody else on its network."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests

from amberflo_workflows.local import console_process as console
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.loopback import LOOPBACK
from tests.cli.local_metering import LocalMetering
from tests.polling import soon

pytestmark = pytest.mark.emulator

HERE, THERE = "10.213.47.1", "10.213.47.2"
# What became of a connection to each address, said as JSON.
KNOCK = """
import json, socket, sys
def outcome(port):
    try:
        socket.create_connection((sys.argv[1], port), timeout=5).close()
    except OSError as error:
        return type(error).__name__
    return "open"
print(json.dumps({port: outcome(int(port)) for port in sys.argv[2:]}))
"""


@dataclass(frozen=True)
class Servers:
    """The servers of a local system, the console's among them, as ``make up`` leaves them."""

    pids: list[int]
    ports: list[str]


@pytest.fixture(scope="module")
def servers(shared_system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    system, folder = shared_system, tmp_path_factory.mktemp("network") / "home"
    url = LocalMetering.of(system, folder).json("console")["console"]
    try:
        found = console.current(folder)
        assert found
        assert system.sandbox_server
        pids = [system.emulator.server.pid, system.sandbox_server.pid, found.pid]
        ports = [one.rstrip("/").rpartition(":")[2] for one in (system.emulator.url, system.amberflo_url, url)]
        yield Servers(pids, ports)
    finally:
        console.stop(folder)


@pytest.fixture
def neighbour() -> Iterator[int]:
    """A machine beside this one: a process in a network namespace of its own, with a cable to here; its id."""
    ours = f"veth{os.getpid()}"
    with subprocess.Popen(["unshare", "--net", "sleep", "60"], stderr=subprocess.PIPE) as process:  # noqa: S607
        try:
            _plug_in(ours, process.pid)
            yield process.pid
        finally:
            subprocess.run(["ip", "link", "delete", ours], check=False, capture_output=True)  # noqa: S607
            process.kill()


def _plug_in(ours: str, there: int) -> None:
    own = Path("/proc/self/ns/net").readlink()
    inside = ["nsenter", "--target", str(there), "--net"]
    try:
        # A process that may not have a namespace of its own has ended, or is not in one.
        separate = soon(lambda: Path(f"/proc/{there}/ns/net").readlink() != own, seconds=3)
        commands = [
            ["ip", "link", "add", ours, "type", "veth", "peer", "name", "outside", "netns", str(there)],
            ["ip", "address", "add", f"{HERE}/30", "dev", ours],
            ["ip", "link", "set", ours, "up"],
            [*inside, "ip", "address", "add", f"{THERE}/30", "dev", "outside"],
            [*inside, "ip", "link", "set", "outside", "up"],
        ]
        for command in commands if separate else []:
            subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no second machine can be made here ({getattr(error, 'stderr', None) or error})")
    if not separate:
        pytest.skip("no second machine can be made here: this needs the right to make network namespaces")


def _knocked(address: str, ports: list[str], before: tuple[str, ...] = ()) -> dict[str, str]:
    command = [*before, sys.executable, "-c", KNOCK, address, *ports]
    outcomes: dict[str, str] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return outcomes


def test_another_machine_on_the_network_cannot_connect(servers: Servers, neighbour: int) -> None:
    inside = ("nsenter", "--target", str(neighbour), "--net")
    refused = dict.fromkeys(servers.ports, "ConnectionRefusedError")
    with socket.create_server(("0.0.0.0", 0)) as open_to_all:  # noqa: S104 - to see that the cable works
        public = str(open_to_all.getsockname()[1])
        assert soon(lambda: _knocked(HERE, [public], inside) == {public: "open"})
        assert _knocked(HERE, servers.ports, inside) == refused
    assert _knocked(LOOPBACK, servers.ports) == dict.fromkeys(servers.ports, "open")


def test_every_listening_socket_is_on_loopback(servers: Servers) -> None:
    processes = [psutil.Process(pid) for pid in servers.pids]
    waiting = {
        (one.laddr.ip, str(one.laddr.port))
        for process in [*processes, *(child for process in processes for child in process.children(recursive=True))]
        for one in process.net_connections(kind="inet")
        if one.laddr and not one.raddr
    }
    assert {port for _, port in waiting} >= {*servers.ports}
    assert {address for address, _ in waiting} <= {LOOPBACK, "::1"}


def test_the_emulator_allows_any_origin_and_no_console_page_shows_its_port(servers: Servers) -> None:
    emulator, _, pages = (f"http://{LOOPBACK}:{port}/" for port in servers.ports)
    asked = {"Origin": "http://evil.example", "X-Amz-Target": "secretsmanager.ListSecrets"}
    # Were this to fail, docs/threats.md and docs/local.md would have to say one thing less.
    answer = requests.post(emulator, json={}, headers=asked, timeout=30)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    for path in ("", "executions", "start", "usage", "rejected"):
        page = requests.get(pages + path, headers={"Host": pages.split("/")[2]}, timeout=30)
        assert (page.status_code, servers.ports[0] in page.text) == (200, False), path
