import pytest

from tests.workflows.second_engine.engine import MotoEngine


@pytest.fixture(scope="session")
def engine() -> MotoEngine:
    return MotoEngine()
