"""Both designs in one table, measured in the same run."""

import tempfile
from pathlib import Path
from typing import Any

from amberflo_workflows.local.system import System
from tests.bench.compare import ingest, warm
from tests.bench.compare.deployment import deploy_empty_functions, deploy_one_lambda
from tests.bench.compare.functions import CHAIN, ONE_LAMBDA
from tests.bench.compare.quick_emulator import running_quick_system
from tests.bench.events import METER
from tests.conftest import sandbox_of

Rows = list[dict[str, Any]]


def measure(system: System) -> dict[str, Rows]:
    """``bus``, with the emulator as it is; ``warm``, ``empty`` and ``batches``, with one that has no fixed pauses."""
    results = {"bus": ingest.measure_bus(system, deploy_one_lambda(system))}
    with tempfile.TemporaryDirectory() as folder, running_quick_system(Path(folder)) as quick:
        sandbox_of(quick).create_meters(METER)
        one_lambda = deploy_one_lambda(quick)
        results["batches"] = ingest.measure(quick, one_lambda)
        results |= warm.measure(quick, one_lambda, deploy_empty_functions(quick))
    return results


def build_rows(cold: Rows, results: dict[str, Rows]) -> Rows:
    """The table: a row for each figure, with that of each design and their ratio."""
    events = f"{ingest.EVENTS:,} events"
    rows = []
    for name, title in (("bus", "put to counted, emulator as it is"), ("batches", "no pauses, batches of AWS")):
        for row in results[name]:
            figure = f"{events}, {title}, Amberflo at {row['amberflo_latency_ms']} ms: s"
            rows.append(_build_row(figure, row["ours_seconds"], row["one_lambda_seconds"]))
    without_latency = results["batches"][0]
    for figure, title in (("cpu_seconds", "s of Lambda CPU"), ("calls", "calls to Amberflo")):
        rows.append(
            _build_row(f"{events}: {title}", without_latency[f"ours_{figure}"], without_latency[f"one_lambda_{figure}"])
        )
    calls = results["warm"]
    rows += [_build_row(f"{row['call']}, warm, p50: ms", row["ours_ms"], row["one_lambda_ms"]) for row in calls]
    cpu = [sum(row[f"{name}_cpu_ms"] for row in calls) / len(calls) for name in ("ours", "one_lambda")]
    rows.append(_build_row("these three, on average: ms of Lambda CPU", *cpu))
    for row in results["empty"]:
        rows.append(_build_row(f"{row['call']}, warm, p50: ms", row["ours_ms"], row["one_lambda_ms"]))
        rows.append(_build_row(f"{row['call']}: ms of Lambda CPU", row["ours_cpu_ms"], row["one_lambda_cpu_ms"]))
    first = {row["function"]: row["total_ms"] for row in cold}
    rows.append(_build_row("GET /meters/{id}, first call after idle: ms", first[" + ".join(CHAIN)], first[ONE_LAMBDA]))
    return rows


def _build_row(figure: str, ours: float, one_lambda: float) -> dict[str, Any]:
    ratio = round(ours / one_lambda, 2) if one_lambda else ""
    return {"": figure, "ours": round(ours, 2), "one_lambda": round(one_lambda, 2), "ours_to_one_lambda": ratio}
