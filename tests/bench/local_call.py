"""What the emulator adds to a local ``GET``: the same calls with its fixed pauses taken out, one after another."""

import runpy
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final
from unittest.mock import patch

from amberflo_workflows.local import emulator
from amberflo_workflows.local.processes import Server, spawn
from amberflo_workflows.local.system import System, running_system
from amberflo_workflows.operate.loopback import loopback_session
from tests.bench.events import METER
from tests.conftest import sandbox_of

CALLS: Final = 30
_ROOT: Final = Path(__file__).parents[2]
# In the order in which they are taken out.
_VARIANTS: Final = {
    "the emulator alone": ("ministack",),
    "with TCP_NODELAY and without its pause, as here": ("amberflo_workflows.local.emulator_server",),
    "and without its wait for lines of the log": ("amberflo_workflows.local.emulator_server", "log"),
}


def measure() -> list[dict[str, Any]]:
    """The median of a ``GET`` of a meter, and its ratio to that of the emulator alone."""
    rows: list[dict[str, Any]] = []
    for name, (module, *removed) in _VARIANTS.items():
        with (
            tempfile.TemporaryDirectory() as folder,
            patch.object(emulator, "spawn", _build_spawn(module, removed)),
            running_system(Path(folder)) as system,
        ):
            milliseconds = _measure_call(system) * 1000
        ratio = milliseconds / rows[0]["median_ms"] if rows else 1
        rows.append({"emulator": name, "median_ms": round(milliseconds, 1), "ratio": round(ratio, 2)})
    return rows


def _build_spawn(module: str, removed: Sequence[str]) -> Callable[..., Server]:
    def spawn_variant(_: str, *, environment: dict[str, str], **options: Any) -> Server:
        variables = {**environment, "PYTHONPATH": str(_ROOT)}
        return spawn(__name__, module, *removed, environment=variables, **options)

    return spawn_variant


def _measure_call(system: System) -> float:
    sandbox_of(system).create_meters(METER)
    headers = {"Authorization": f"Bearer {system.access_token}"}
    meters = loopback_session().get(f"{system.api_endpoint}meters", headers=headers, timeout=60).json()["data"]
    url = f"{system.api_endpoint}meters/{meters[0]['id']}"
    seconds = []
    for _ in range(CALLS + 1):
        started = time.perf_counter()
        loopback_session().get(url, headers=headers, timeout=60).raise_for_status()
        seconds.append(time.perf_counter() - started)
    # The first call starts the processes of the Lambdas.
    return median(seconds[1:])


def main(module: str, *removed: str) -> None:
    """Run the emulator without some of its pauses."""
    from ministack.core.lambda_runtime import Worker  # noqa: PLC0415 - reads its environment when it is imported

    # Set by this process alone, so that nobody else has to restore it.
    if "log" in removed:
        Worker._drain_stderr_bounded = lambda worker, **_: worker._drain_stderr()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
