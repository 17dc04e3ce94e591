"""Only programs on this machine can connect to the local system, not other machines on its network."""

import contextlib
import ipaddress
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests

from amberflo_workflows.console.packages import install_packages
from amberflo_workflows.local import console_process as console
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.loopback import LOOPBACK
from tests.cli.local_metering import LocalMetering
from tests.polling import wait_until

pytestmark = pytest.mark.emulator

# The two ends of the cable to the second machine. Each process has addresses of its own, so that several test runs on
# one machine do not disturb each other.
CABLE = ipaddress.ip_network((int(ipaddress.ip_address("10.192.0.0")) + 4 * (os.getpid() % 2**20), 30))
THIS_MACHINE, SECOND_MACHINE = map(str, CABLE.hosts())
# Prints the outcome of a connection to each port of an address, as JSON.
CONNECT = """
import json, socket, sys
def connect(port):
    try:
        socket.create_connection((sys.argv[1], port), timeout=5).close()
    except OSError as error:
        return type(error).__name__
    return "open"
print(json.dumps({port: connect(int(port)) for port in sys.argv[2:]}))
"""


@dataclass(frozen=True)
class Servers:
    """The servers that ``make up`` starts: emulator, sandbox and console, in this order."""

    pids: list[int]
    ports: list[str]


@pytest.fixture(scope="module")
def servers(shared_system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    # The command below has an environment without the settings that npm may need on this machine.
    install_packages()
    system, folder = shared_system, tmp_path_factory.mktemp("network") / "home"
    url = LocalMetering.of(system, folder).json("console")["console"]
    try:
        server = console.find_running(folder)
        assert server
        assert system.sandbox_server
        pids = [system.emulator.server.pid, system.sandbox_server.pid, server.pid]
        urls = (system.emulator.url, system.amberflo_url, url)
        ports = [server_url.rstrip("/").rpartition(":")[2] for server_url in urls]
        yield Servers(pids, ports)
    finally:
        console.stop(folder)


@pytest.fixture
def second_machine() -> Iterator[int]:
    """A process in its own network namespace, connected to this machine by a virtual cable; its id."""
    interface = f"veth{os.getpid()}"
    command = ["unshare", "--net", "sleep", "infinity"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            _connect_cable(interface, process)
            yield process.pid
        finally:
            subprocess.run(["ip", "link", "delete", interface], check=False, capture_output=True)  # noqa: S607
            process.kill()


def _connect_cable(interface: str, process: "subprocess.Popen[bytes]") -> None:
    """Create the cable; skips the test if this machine does not permit it."""
    inside = _enter_namespace(process.pid)
    own = Path("/proc/self/ns/net").readlink()
    there = Path(f"/proc/{process.pid}/ns/net")
    commands = [
        ["ip", "link", "add", interface, "type", "veth", "peer", "name", "outside", "netns", str(process.pid)],
        ["ip", "address", "add", f"{THIS_MACHINE}/30", "dev", interface],
        ["ip", "link", "set", interface, "up"],
        [*inside, "ip", "address", "add", f"{SECOND_MACHINE}/30", "dev", "outside"],
        [*inside, "ip", "link", "set", "outside", "up"],
    ]
    try:
        # Without the right to create a namespace, unshare ends at once.
        assert wait_until(lambda: process.poll() is not None or there.readlink() != own)
        for command in commands:
            subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot create a network namespace here ({getattr(error, 'stderr', None) or error})")


def _enter_namespace(pid: int) -> list[str]:
    return ["nsenter", "--target", str(pid), "--net"]


def _try_ports(address: str, ports: list[str], command_prefix: Sequence[str] = ()) -> dict[str, str]:
    command = [*command_prefix, sys.executable, "-c", CONNECT, address, *ports]
    outcomes: dict[str, str] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return outcomes


def test_another_machine_on_the_network_cannot_connect(servers: Servers, second_machine: int) -> None:
    inside = _enter_namespace(second_machine)
    with socket.create_server(("0.0.0.0", 0)) as public_server:  # noqa: S104 - to check that the cable works
        public = str(public_server.getsockname()[1])
        assert wait_until(lambda: _try_ports(THIS_MACHINE, [public], inside) == {public: "open"})
        refused = dict.fromkeys(servers.ports, "ConnectionRefusedError")
        assert _try_ports(THIS_MACHINE, servers.ports, inside) == refused
    assert _try_ports(LOOPBACK, servers.ports) == dict.fromkeys(servers.ports, "open")


def _unconnected_sockets(process: psutil.Process) -> set[tuple[str, str]]:
    """Address and port of the sockets without a peer; none if the process has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        sockets = process.net_connections(kind="inet")
        return {(socket.laddr.ip, str(socket.laddr.port)) for socket in sockets if socket.laddr and not socket.raddr}
    return set()


def test_every_listening_socket_is_on_loopback(servers: Servers) -> None:
    parents = [psutil.Process(pid) for pid in servers.pids]
    processes = [*parents, *(child for parent in parents for child in parent.children(recursive=True))]
    listening = set().union(*map(_unconnected_sockets, processes))
    assert {port for _, port in listening} >= {*servers.ports}
    assert {address for address, _ in listening} <= {LOOPBACK, "::1"}


def test_the_emulator_allows_any_origin_and_no_console_page_shows_its_port(servers: Servers) -> None:
    emulator, _, pages = (f"http://{LOOPBACK}:{port}/" for port in servers.ports)
    headers = {"Origin": "http://evil.example", "X-Amz-Target": "secretsmanager.ListSecrets"}
    # If this fails, remove the risk from docs/threats.md and docs/local.md.
    response = requests.post(emulator, json={}, headers=headers, timeout=30)
    assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (200, "*")
    for path in ("", "executions", "start", "usage", "rejected"):
        page = requests.get(pages + path, headers={"Host": pages.split("/")[2]}, timeout=30)
        assert page.status_code == 200, path
        # As a number of its own: ids and times contain the same digits by chance.
        assert re.search(rf"\b{servers.ports[0]}\b", page.text) is None, path
