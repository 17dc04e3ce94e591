"""The first call of a function after idle: its initialisation and its first invocation, at its share of a core.

Lambda initialises a function with a full core and invokes it with its memory's share of one: a core for 1,769 MB. The
times are computed, as processor time divided by the share plus the time that the process waits for its services:

- A quota would be right only on an idle machine. On one with other work, the process waits for a core as well as for
  its quota. Its processor time and the time that it sleeps depend much less on that work: what it waits for a core,
  which Linux counts, is left out.
- All shares follow from the same processes, so that memories are compared without noise between them.
- A quota adds at most a period (20 ms) to it, or takes one off: what fits into the rest of a period runs at full speed.

The services respond at once and over TLS. A call of AWS or Amberflo takes longer; that is the same for every memory.
"""

import compileall
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from amberflo_workflows.infra.bundle import bundle
from amberflo_workflows.infra.settings import Runtime
from tests.bench import prices
from tests.bench.compare.functions import CHAIN, ONE_LAMBDA, Function, read_functions
from tests.bench.compare.large_events import build_large_functions
from tests.bench.compare.services import Services, running_services

RUNS: Final = 8
FULL_CORE_MB: Final = 1769
MEMORIES_MB: Final = (256, 512, 1024, 1769)
_WARM_CALLS: Final = 25
_LARGE_RUNS: Final = 3
_LARGE_WARM_CALLS: Final = 5
_HERE: Final = Path(__file__).parent


class Phase(NamedTuple):
    """Seconds of a processor, and seconds of waiting."""

    processor: float
    waiting: float

    def milliseconds(self, memory_mb: int) -> float:
        """The time with the share of a core that a memory has."""
        return (self.processor * FULL_CORE_MB / min(memory_mb, FULL_CORE_MB) + self.waiting) * 1000


class ColdStart(NamedTuple):
    """The phases of a function: its initialisation, its first invocation, and a later one; and its most memory."""

    function: Function
    init: Phase
    first: Phase
    warm: Phase
    peak_bytes: int

    @property
    def milliseconds(self) -> float:
        """Initialisation and first invocation, with the function's own memory."""
        return self.init.milliseconds(FULL_CORE_MB) + self.first.milliseconds(self.function.memory_mb)


def measure(runs: int = RUNS) -> dict[str, list[dict[str, Any]]]:
    """Medians of ``runs`` fresh processes: ``cold`` for each function and the chain, ``memory`` for each size.

    ``large`` is for the largest events.
    """
    with tempfile.TemporaryDirectory() as name, running_services(Path(name)) as services:
        folder = Path(name)
        starts = measure_functions(read_functions(services.url, folder / "cdk.out"), services, folder, runs)
        large = build_large_functions(services.url, folder / "large")
        starts_with_large = measure_functions(large, services, folder, _LARGE_RUNS, _LARGE_WARM_CALLS)
    return {
        "cold": _build_cold_rows(starts),
        "memory": _build_memory_rows(starts),
        "large": _build_large_rows(starts_with_large),
    }


def measure_functions(
    functions: Sequence[Function], services: Services, folder: Path, runs: int, warm_calls: int = _WARM_CALLS
) -> dict[str, ColdStart]:
    """The phases of each function by its name. Raises ``RuntimeError`` if an invocation fails."""
    one_lambda = folder / "one_lambda"
    one_lambda.mkdir(exist_ok=True)
    shutil.copy(_HERE / "one_lambda.py", one_lambda)
    paths = [services.packages, one_lambda, bundle(Runtime.for_this_machine())]
    for path in paths[:2]:
        compileall.compile_dir(path, quiet=1)
    samples: dict[str, list[dict[str, Any]]] = {function.name: [] for function in functions}
    # In turn, so that a change of the machine's speed is the same for all. The first round fills the caches of files.
    for _ in range(runs + 1):
        for function in functions:
            samples[function.name].append(_run_process(function, services, paths, folder, warm_calls))
    return {function.name: _summarize(function, samples[function.name][1:]) for function in functions}


PHASES: Final = ("init", "first", "warm")


def _summarize(function: Function, samples: list[dict[str, Any]]) -> ColdStart:
    init, first, warm = (
        Phase(*map(median, zip(*(sample[phase] for sample in samples), strict=True))) for phase in PHASES
    )
    return ColdStart(function, init, first, warm, max(sample["peak_bytes"] for sample in samples))


def _run_process(
    function: Function, services: Services, paths: Sequence[Path], folder: Path, warm_calls: int
) -> dict[str, Any]:
    task = folder / "task.json"
    task.write_text(
        json.dumps(
            {
                "paths": list(map(str, paths)),
                "module": function.module,
                "event": json.dumps(function.event),
                "warm_calls": warm_calls,
            }
        )
    )
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "LAMBDA_TASK_ROOT": str(paths[-1]),
        "_HANDLER": f"{function.module}.handler",
        **services.environment,
        **function.environment,
    }
    process = subprocess.run(
        [sys.executable, str(_HERE / "process.py"), str(task)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    sample: dict[str, Any] = json.loads(task.read_text())
    if process.returncode or not _has_succeeded(sample["result"]):
        raise RuntimeError(f"{function.name} failed: {sample.get('result')} {process.stderr[-2000:]}")
    return sample


def _has_succeeded(result: dict[str, Any]) -> bool:
    if result.get("batchItemFailures") or result.get("rejected"):
        return False
    return int(result.get("statusCode", 200)) == 200


def _build_cold_rows(starts: dict[str, ColdStart]) -> list[dict[str, Any]]:
    reference = starts[ONE_LAMBDA].milliseconds
    rows = [
        {
            "function": name,
            "memory_mb": start.function.memory_mb,
            "init_ms": round(start.init.milliseconds(FULL_CORE_MB)),
            "first_invocation_ms": round(start.first.milliseconds(start.function.memory_mb)),
            "total_ms": round(start.milliseconds),
            "init_cpu_ms": round(start.init.processor * 1000),
            "first_cpu_ms": round(start.first.processor * 1000),
            "share": round(start.milliseconds / reference, 2),
        }
        for name, start in starts.items()
    ]
    chain = [starts[name] for name in CHAIN]
    total = sum(start.milliseconds for start in chain)
    rows.append(
        {
            "function": " + ".join(CHAIN),
            "memory_mb": "",
            "init_ms": round(sum(start.init.milliseconds(FULL_CORE_MB) for start in chain)),
            "first_invocation_ms": round(sum(start.first.milliseconds(start.function.memory_mb) for start in chain)),
            "total_ms": round(total),
            "init_cpu_ms": round(sum(start.init.processor for start in chain) * 1000),
            "first_cpu_ms": round(sum(start.first.processor for start in chain) * 1000),
            "share": round(total / reference, 2),
        }
    )
    return rows


def _build_memory_rows(starts: dict[str, ColdStart]) -> list[dict[str, Any]]:
    """The time of a first call (initialisation and invocation) and of a warm one, and their prices, for each memory."""
    rows = []
    for name, start in starts.items():
        # The npm package sets no architecture, which is x86 then.
        price = prices.LAMBDA_X86_GB_SECOND if name == ONE_LAMBDA else prices.LAMBDA_GB_SECOND
        for memory in MEMORIES_MB if name != ONE_LAMBDA else (start.function.memory_mb, *MEMORIES_MB):
            first = start.init.milliseconds(FULL_CORE_MB) + start.first.milliseconds(memory)
            warm = start.warm.milliseconds(memory)
            rows.append(
                {
                    "function": name,
                    "memory_mb": memory,
                    "first_call_ms": round(first),
                    "warm_call_ms": round(warm, 1),
                    "$_per_million_warm": _compute_dollars(warm, memory, price),
                    "$_per_million_first": _compute_dollars(first, memory, price),
                }
            )
    return rows


def _build_large_rows(starts: dict[str, ColdStart]) -> list[dict[str, Any]]:
    """The most memory, and the time of a warm call for each memory, with the largest events."""
    return [
        {
            "function": name,
            "peak_mb": round(start.peak_bytes / 1e6),
            **{f"at_{memory}_mb_ms": round(start.warm.milliseconds(memory)) for memory in MEMORIES_MB},
        }
        for name, start in starts.items()
    ]


def _compute_dollars(milliseconds: float, memory_mb: int, gb_second: float) -> float:
    """The price of a million invocations. Lambda bills whole milliseconds, those of the initialisation as well."""
    seconds = math.ceil(milliseconds) / 1000
    price = prices.LAMBDA_REQUEST + seconds * memory_mb / 1024 * gb_second
    return round(price * prices.MILLION, 2)
