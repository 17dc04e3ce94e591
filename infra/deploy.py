"""``make deploy``: the CDK command line, from npm, on the Node from PyPI.

Arguments go to ``cdk deploy``; settings as ``-c key=value``. ``AWS_ENDPOINT_URL`` sends it to an emulator.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from amberflo_workflows.infra.node import NodeMissing, node, npx, use_packaged_node

# npm's `latest` is 3.0.0, which cannot read what aws-cdk-lib 2 writes.
CDK: Final = "aws-cdk@2.1148.1"


def main(arguments: Sequence[str]) -> int:
    """Run ``cdk`` with these arguments, ``deploy`` if there are none."""
    try:
        use_packaged_node()
    except NodeMissing as error:
        print(error, file=sys.stderr)
        return 1
    cdk = ["--yes", CDK, "deploy", "--app", f"{sys.executable} -m amberflo_workflows.infra.app"]
    path = f"{Path(node()).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    command = [*npx(), *cdk, *arguments]
    return subprocess.run(command, env={**os.environ, "PATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
