import json
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.system import STACK, System


@pytest.fixture
def template(shared_system: System, system_folder: Path) -> dict[str, Any]:  # noqa: ARG001 - its start writes the template
    """The template of the system; the one for AWS has the same resources."""
    loaded: dict[str, Any] = json.loads((system_folder / "cdk.out" / f"{STACK}.template.json").read_text())
    return loaded
