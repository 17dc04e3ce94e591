"""``python -m amberflo_workflows.sandbox``: serve the sandbox on loopback until SIGTERM.

The API key that callers must send comes from the environment variable ``SANDBOX_API_KEY``, because every user of the
machine can read a command line.
"""

import argparse
import dataclasses
import os
import sys
import typing
from pathlib import Path

import uvicorn

from amberflo_workflows.sandbox.app import Sandbox
from amberflo_workflows.sandbox.settings import SandboxSettings
from amberflo_workflows.sandbox.store import Store


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m amberflo_workflows.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, help="database file; default: in memory")
    hints = typing.get_type_hints(SandboxSettings)
    for field in dataclasses.fields(SandboxSettings):
        option, hint = f"--{field.name.replace('_', '-')}", hints[field.name]
        if hint is bool:
            parser.add_argument(option, action="store_true")
        elif typing.get_origin(hint) is typing.Literal:
            parser.add_argument(option, choices=typing.get_args(hint), default=field.default)
        else:
            parser.add_argument(option, type=hint, default=field.default)
    return parser.parse_args()


def main() -> int:
    """Serve until SIGTERM; 2 if there is no API key."""
    options = vars(_parse_arguments())
    port, data = options.pop("port"), options.pop("data")
    key = os.environ.get("SANDBOX_API_KEY")
    if not key:
        print("SANDBOX_API_KEY is not set. Set it to the API key that callers must send.", file=sys.stderr)
        return 2
    sandbox = Sandbox(Store(data), {key}, SandboxSettings(**options))
    uvicorn.run(sandbox.build_app(), host="127.0.0.1", port=port, log_level="warning", http="h11")
    return 0


if __name__ == "__main__":
    sys.exit(main())
