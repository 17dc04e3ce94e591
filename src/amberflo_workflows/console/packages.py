"""The front-end packages, from npm: pinned by hash in the lock beside, installed once into the user's cache."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from amberflo_workflows.infra.bundle import get_cache_folder
from amberflo_workflows.infra.node import NodeMissing, find_node, find_npm
from amberflo_workflows.operate.errors import OperatorError

_HERE: Final = Path(__file__).parent
_PINS: Final = ("package.json", "package-lock.json")
# Who is offline wants to be told so and go on, not to wait through npm's minutes of retries.
_SOON_SURE: Final = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000")
# By the name under which a page asks for them.
FILES: Final = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "sse.js": "htmx-ext-sse/dist/sse.min.js",
    "idiomorph.js": "idiomorph/dist/idiomorph-ext.min.js",
    "dagre.js": "@dagrejs/dagre/dist/dagre.min.js",
}


def installed(pinned_in: Path = _HERE) -> Path:
    """The folder with the packages that ``pinned_in`` locks, installed if missing. Raises :class:`OperatorError`."""
    pins = b"".join((pinned_in / name).read_bytes() for name in _PINS)
    kept = get_cache_folder() / f"console-{hashlib.sha256(pins).hexdigest()[:16]}"
    if kept.is_dir():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="building-") as folder:
        for name in _PINS:
            shutil.copyfile(pinned_in / name, Path(folder) / name)
        _install(Path(folder))
        try:
            (Path(folder) / "node_modules").rename(kept)
        except OSError:
            # Another process was faster; what it installed is the same.
            if not kept.is_dir():
                raise
    return kept


def _install(folder: Path) -> None:
    try:
        command = [*find_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", *_SOON_SURE]
        path = f"{Path(find_node()).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    except NodeMissing as error:
        raise OperatorError(f"The console's pages cannot be set up: {error}") from None
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split())[-500:]
        raise OperatorError(f"The console's pages cannot be set up, since npm did not install their packages: {said}")
