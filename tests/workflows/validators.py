"""Validators of state machine definitions: AWS's language service for ASL, ``asl-validator`` and statelint.

The first is what AWS's toolkits for editors use; both are npm packages, pinned by hash in ``npm/package-lock.json``.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from statelint.config import Config
from statelint.linter import Linter
from statelint.problem import ProblemType

from amberflo_workflows.console.packages import install_packages
from amberflo_workflows.infra.node import find_node

_NPM: Final = Path(__file__).with_name("npm")


def list_problems(definitions: Mapping[str, str]) -> dict[str, list[str]]:
    """List what each validator reports about each definition, by the definition's name. Valid ones are left out."""
    node = [find_node(), str(_NPM / "validate.cjs")]
    environment = {**os.environ, "NODE_PATH": str(install_packages(_NPM))}
    result = subprocess.run(
        node, input=json.dumps(dict(definitions)), env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    problems: dict[str, list[str]] = json.loads(result.stdout)
    assert problems.keys() == definitions.keys()
    for name, text in definitions.items():
        # The ARN of a resource may be a token that CloudFormation substitutes.
        config = Config({ProblemType.URI} if "${" in text else set())
        problems[name] += [f"statelint: {problem}" for problem in Linter.validate(json.loads(text), config)]
    return {name: items for name, items in problems.items() if items}
