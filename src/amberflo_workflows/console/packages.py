"""The front-end packages from npm: pinned by hash in package-lock.json, installed once into the user's cache."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from amberflo_workflows.infra.cache import get_cache_folder
from amberflo_workflows.infra.node import NodeMissing, find_node, find_npm
from amberflo_workflows.operate.errors import OperatorError

_LOCK_FOLDER: Final = Path(__file__).parent
_LOCK_FILES: Final = ("package.json", "package-lock.json")
# Without network access, fail within seconds. By default npm retries for minutes.
_FAIL_FAST: Final = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000")
# URL name to path in node_modules.
FILES: Final = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "sse.js": "htmx-ext-sse/dist/sse.min.js",
    "idiomorph.js": "idiomorph/dist/idiomorph-ext.min.js",
    "dagre.js": "@dagrejs/dagre/dist/dagre.min.js",
}


def install_packages(lock_folder: Path = _LOCK_FOLDER) -> Path:
    """Install the packages that the lock file in ``lock_folder`` pins, unless they are in the cache.

    Returns their folder. Raises :class:`OperatorError` if npm fails.
    """
    locks = b"".join((lock_folder / name).read_bytes() for name in _LOCK_FILES)
    installed = get_cache_folder() / f"console-{hashlib.sha256(locks).hexdigest()[:16]}"
    if installed.is_dir():
        return installed
    installed.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=installed.parent, prefix="building-") as folder:
        for name in _LOCK_FILES:
            shutil.copyfile(lock_folder / name, Path(folder) / name)
        _install(Path(folder))
        try:
            (Path(folder) / "node_modules").rename(installed)
        except OSError:
            # Another process was faster and has installed the same packages.
            if not installed.is_dir():
                raise
    return installed


def _install(folder: Path) -> None:
    try:
        command = [*find_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", *_FAIL_FAST]
        path = f"{Path(find_node()).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    except NodeMissing as error:
        raise OperatorError(f"The console's packages could not be installed: {error}") from None
    environment = {**os.environ, "PATH": path}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        message = " ".join(result.stderr.split())[-500:]
        raise OperatorError(f"The console's packages could not be installed. npm failed: {message}")
