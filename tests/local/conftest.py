import io
import json
import stat
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from amberflo_workflows.local.emulator import Emulator

BOOTSTRAP = '#!/bin/sh\nexec "$PYTHON" -m awslambdaric "$_HANDLER"\n'
Invoke = Callable[[Emulator, str], Any]


@pytest.fixture
def invoke() -> Invoke:
    """Deploys a Lambda with the code of a ``handler`` and returns its response."""

    def deploy_and_invoke(emulator: Emulator, code: str) -> Any:
        client = emulator.client("lambda")
        client.create_function(
            FunctionName="tiny",
            Runtime="provided.al2023",
            Handler="tiny.handler",
            Role="arn:aws:iam::000000000000:role/tiny",
            Code={"ZipFile": _build_zip({"bootstrap": BOOTSTRAP, "tiny.py": code})},
            Timeout=20,
        )
        return json.loads(client.invoke(FunctionName="tiny")["Payload"].read())

    return deploy_and_invoke


def _build_zip(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | 0o755) << 16
            archive.writestr(entry, text)
    return buffer.getvalue()
