import json
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.system import STACK, System


@pytest.fixture
def template(shared_system: System, system_folder: Path) -> dict[str, Any]:  # noqa: ARG001 - made when it starts
    """What the system was made of; that for AWS has the same resources."""
    loaded: dict[str, Any] = json.loads((system_folder / "cdk.out" / f"{STACK}.template.json").read_text())
    return loaded
