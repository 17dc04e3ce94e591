import os
from collections.abc import Iterator

import pytest

from amberflo_workflows.local.system import System
from tests.workflows.runner import MOTO, Runner


@pytest.fixture
def runner(system: System) -> Iterator[Runner]:
    if os.environ.get("STEP_FUNCTIONS_ENDPOINT") != MOTO:
        yield Runner(system)
        return
    # moto takes two seconds to import.
    from tests.workflows.second_engine.endpoint import serving_moto  # noqa: PLC0415

    with serving_moto(system):
        yield Runner(system)
