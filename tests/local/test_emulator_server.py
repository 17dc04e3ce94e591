"""The delays that the local system takes out of the emulator are still where it looks for them."""

from socketserver import StreamRequestHandler
from typing import Any

from amberflo_workflows.local.emulator_server import EXECUTION_PAUSE_SECONDS, deepcopy_by_pickle
from tests.packages import read_source


def test_an_execution_starts_with_the_pause() -> None:
    source = read_source("ministack.services.stepfunctions")
    assert "\nimport time\n" in source
    assert f"    time.sleep({EXECUTION_PAUSE_SECONDS})\n" in source


def test_an_iteration_of_a_map_copies_its_context() -> None:
    source = read_source("ministack.services.stepfunctions")
    assert "\nimport copy\n" in source
    assert "item_ctx = copy.deepcopy(ctx)\n" in source


def test_a_copy_shares_nothing() -> None:
    context: Any = {"Execution": {"Input": {"usages": [{"meterValue": 1.5}]}}, "Map": None}
    copied = deepcopy_by_pickle(context)
    assert copied == context
    copied["Execution"]["Input"]["usages"].append({})
    assert len(context["Execution"]["Input"]["usages"]) == 1


def test_the_api_of_a_lambda_is_a_server_whose_packets_would_wait() -> None:
    assert StreamRequestHandler.disable_nagle_algorithm is False
    assert "BaseHTTPRequestHandler" in read_source("ministack.core.lambda_runtime")
