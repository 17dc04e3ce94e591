import pytest

from amberflo_workflows.local.system import System
from tests.workflows.runner import Runner


@pytest.fixture
def runner(system: System) -> Runner:
    return Runner(system)
