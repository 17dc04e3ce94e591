import uuid
from pathlib import Path

import pytest

from amberflo_workflows.local.system import System
from tests.cli.local_metering import LocalMetering


@pytest.fixture
def metering(system: System, tmp_path: Path) -> LocalMetering:
    return LocalMetering.of(system, tmp_path / "home")


@pytest.fixture
def tenant() -> str:
    """A tenant of its own for each test."""
    return f"tenant-{uuid.uuid4()}"
