"""``make deploy``: runs the CDK command line from npm with the Node from PyPI.

Arguments go to ``cdk deploy``, settings as ``-c key=value``. Set ``AWS_ENDPOINT_URL`` to deploy to an emulator.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError

from amberflo_workflows.infra.arguments import parse_arguments
from amberflo_workflows.infra.lambda_limit import fit_ingest_concurrency
from amberflo_workflows.infra.node import NodeMissing, find_node, find_npx, use_packaged_node
from amberflo_workflows.infra.settings import InvalidSetting, Settings

# npm's `latest` is 3.0.0, which cannot read the output of aws-cdk-lib 2.
CDK: Final = "aws-cdk@2.1148.1"


def cdk_deploy(app: str, arguments: Sequence[str]) -> int:
    """Run ``cdk deploy``; ``app`` is appended to the command of the CDK app. Returns the exit code.

    Raises :class:`NodeMissing`.
    """
    use_packaged_node()
    # CDK starts the app with a shell.
    cdk = ["--yes", CDK, "deploy", "--app", f"{shlex.quote(sys.executable)} -m amberflo_workflows.infra.app{app}"]
    path = f"{Path(find_node()).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return subprocess.run([*find_npx(), *cdk, *arguments], env={**os.environ, "PATH": path}, check=False).returncode


def fit_to_account(session: Any, settings: Settings, context: Mapping[str, str]) -> list[str]:
    """Return arguments that fit the deployment to the limits of its account; print what the operator should know."""
    arguments, lines = fit_ingest_concurrency(session.client("lambda"), settings, context)
    for line in lines:
        print(line, file=sys.stderr)
    return arguments


def main(arguments: Sequence[str]) -> int:
    """Check the settings, then deploy the standalone stack."""
    try:
        parsed = parse_arguments(arguments)
        settings = parsed.build_settings("standalone")
        fitted = fit_to_account(parsed.create_session(), settings, parsed.context)
        return cdk_deploy("", [*fitted, *arguments])
    except (BotoCoreError, InvalidSetting, NodeMissing) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
