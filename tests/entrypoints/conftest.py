from collections.abc import Iterator

import pytest

from amberflo_workflows.local.system import System
from tests.entrypoints.calls import Api
from tests.entrypoints.step_functions import StepFunctions, running_step_functions


@pytest.fixture
def api(system: System) -> Api:
    return Api(system)


@pytest.fixture
def step_functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[StepFunctions]:
    """A small server in place of Step Functions."""
    with running_step_functions() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running
