"""The cloud assembly of the local stack. CDK needs many seconds for it, so it is synthesised once for the same input.

``python -m amberflo_workflows.local.assembly FOLDER SETTINGS`` synthesises it: in a process of its own, which has read
the sources as they are now.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from amberflo_workflows.infra.bundle import PACKAGE, BundleFailed
from amberflo_workflows.infra.cache import get_cache_folder
from amberflo_workflows.infra.cached_folder import InputChanged, get_or_build
from amberflo_workflows.infra.settings import Runtime, Settings
from amberflo_workflows.local.processes import spawn
from amberflo_workflows.operate.errors import OperatorError

# Stands for the address of the sandbox, which differs between local systems.
PLACEHOLDER: Final = "http://localhost:SANDBOX"
_SOURCES: Final = ("infra", "workflows", "core", "tasks", "entrypoints", "requirements")
# CDK and what it runs in.
_PACKAGES: Final = ("aws-cdk-lib", "constructs", "jsii", "uv")
# What CDK reads of the environment, such as its context, starts with this.
_VARIABLES: Final = "CDK_"


def write_assembly(outdir: Path, settings: Settings, sandbox_url: str | None) -> Path:
    """Write the assembly of the local stack into ``outdir``, which is emptied first, and return it.

    In ``settings``, ``PLACEHOLDER`` stands for ``sandbox_url``. The assembly's assets are links to the cache. Raises
    :class:`OperatorError` if it cannot be synthesised.
    """
    try:
        cached = get_or_build(
            get_cache_folder(),
            "assembly",
            lambda: compute_fingerprint(settings),
            lambda folder: _synthesise(folder, settings),
        )
    except InputChanged as error:
        raise OperatorError(str(error)) from None
    shutil.rmtree(outdir, ignore_errors=True)
    outdir.mkdir(parents=True)
    for path in cached.iterdir():
        if path.name == f"{settings.stack_name}.template.json":
            (outdir / path.name).write_text(path.read_text().replace(PLACEHOLDER, sandbox_url or PLACEHOLDER))
        else:
            (outdir / path.name).symlink_to(path)
    return outdir


def compute_fingerprint(
    settings: Settings, package: Path = PACKAGE, environment: Mapping[str, str] = os.environ
) -> str:
    """Return a hash of everything that the assembly is made from; ``package`` is the folder with the sources."""
    digest = hashlib.sha256()
    for part in _list_input(settings, package, environment):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


def _list_input(settings: Settings, package: Path, environment: Mapping[str, str]) -> Iterator[bytes]:
    yield repr((settings, Runtime.for_this_machine(), sys.version, sys.platform)).encode()
    yield repr([(name, _find_version(name)) for name in _PACKAGES]).encode()
    yield repr(sorted(item for item in environment.items() if item[0].startswith(_VARIABLES))).encode()
    files = [path for name in _SOURCES for path in (package / name).rglob("*") if path.suffix != ".pyc"]
    for path in (package / "__init__.py", *sorted(path for path in files if path.is_file())):
        yield path.relative_to(package).as_posix().encode()
        yield path.read_bytes()


def _find_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _synthesise(folder: Path, settings: Settings) -> None:
    """Synthesise in a new process: this one may have read its sources before they were changed."""
    with tempfile.TemporaryDirectory() as temporary:
        log = Path(temporary) / "log"
        text = msgspec.json.encode(settings).decode()
        # CDK's validation of the template, which takes half of the time, is for AWS.
        environment = {**os.environ, "CDK_VALIDATION": "false"}
        server = spawn(__name__, str(folder), text, environment=environment, folder=Path(temporary), log=log)
        try:
            if server.process is None or server.process.wait() != 0:
                raise OperatorError(log.read_text().strip() or "The stack could not be synthesised.")
        finally:
            server.kill()


def main() -> int:
    """Synthesise the local stack with settings, as JSON, into a folder."""
    from amberflo_workflows.infra.app import synth  # noqa: PLC0415 - only this process needs CDK
    from amberflo_workflows.infra.node import NodeMissing  # noqa: PLC0415 - as above

    _, folder, text = sys.argv
    try:
        synth("local", Path(folder), msgspec.json.decode(text, type=Settings))
    except (BundleFailed, NodeMissing) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
