import pytest

from amberflo_workflows.local.system import System
from tests.entrypoints.calls import Api


@pytest.fixture
def api(system: System) -> Api:
    return Api(system)
