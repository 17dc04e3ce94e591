"""The code of the Lambdas, built without Docker: our modules, their dependencies, and byte code.

All functions share one bundle. It is cached under a hash of its input, so that it is built once and the same input
gives the same asset.
"""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import uv

from amberflo_workflows.infra.settings import Runtime

# The installed package; in a checkout its folders are links, so this path is not resolved.
PACKAGE: Final = Path(__file__).absolute().parents[1]
LOCK: Final = PACKAGE / "requirements" / "lambda.txt"
MAX_UNUSED_SECONDS: Final = 30 * 24 * 60 * 60
_PLATFORMS: Final = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}
# The emulator is started with PYTHON set to the interpreter that has AWS's runtime client (awslambdaric).
_BOOTSTRAP: Final = '#!/bin/sh\nexec "$PYTHON" -m awslambdaric "$_HANDLER"\n'


class BundleFailed(RuntimeError):
    """The bundle could not be built; the message says what to do."""


def get_cache_folder() -> Path:
    """Return this user's cache folder for bundles, in ``$XDG_CACHE_HOME`` or else ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amberflo-workflows"


def bundle(runtime: Runtime, cache: Path | None = None) -> Path:
    """Return the folder with the Lambdas' code for a runtime. Builds it in ``cache`` if it is not there.

    Raises :class:`BundleFailed`.
    """
    cache = cache or get_cache_folder()
    target = cache / f"lambda-{_compute_fingerprint(runtime)}"
    if target.is_dir():
        target.touch()
        return target
    cache.mkdir(parents=True, exist_ok=True)
    _delete_unused(cache)
    with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as folder:
        unfinished = Path(folder) / "lambda"
        _install(unfinished, runtime)
        _copy_own_code(unfinished)
        _compile(unfinished, runtime)
        if runtime.local:
            _write_bootstrap(unfinished)
        try:
            unfinished.rename(target)
        except OSError:
            # Another process has built the same bundle in the meantime.
            if not target.is_dir():
                raise
    return target


def _delete_unused(cache: Path) -> None:
    for old in cache.glob("lambda-*"):
        if time.time() - old.stat().st_mtime > MAX_UNUSED_SECONDS:
            shutil.rmtree(old, ignore_errors=True)


def _list_sources() -> list[tuple[str, Path]]:
    """List our own files with their paths in the bundle."""
    files = [("amberflo_workflows/__init__.py", PACKAGE / "__init__.py")]
    for name in ("core", "tasks", "entrypoints"):
        folder = PACKAGE / name
        paths = sorted(path for path in folder.rglob("*.*") if path.suffix in {".py", ".json"})
        files += [(f"amberflo_workflows/{name}/{path.relative_to(folder).as_posix()}", path) for path in paths]
    return files


def _compute_fingerprint(runtime: Runtime) -> str:
    digest = hashlib.sha256(repr(runtime).encode() + LOCK.read_bytes() + _BOOTSTRAP.encode())
    for name, path in _list_sources():
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    # Without an interpreter of this version the bundle has no byte code.
    digest.update(str(_find_interpreter(runtime.python) is not None).encode())
    return digest.hexdigest()[:16]


def _install(target: Path, runtime: Runtime) -> None:
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-config", "--target", str(target)]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--python", sys.executable]
    command += ["--python-version", runtime.python, "-r", str(LOCK)]
    if not runtime.local:
        command += ["--python-platform", _PLATFORMS[runtime.architecture]]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BundleFailed(f"The Lambdas' packages could not be installed from {LOCK.name}:\n{result.stderr.strip()}")
    for unneeded in (*target.glob("*.dist-info/RECORD"), *target.glob("*.dist-info/INSTALLER"), target / ".lock"):
        unneeded.unlink(missing_ok=True)
    # The packages' command-line scripts, which refer to this machine's interpreter.
    shutil.rmtree(target / "bin", ignore_errors=True)


def _copy_own_code(target: Path) -> None:
    for name, path in _list_sources():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _find_interpreter(version: str) -> str | None:
    """Find an interpreter of the target's version, since byte code is valid for one version only."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    interpreter = shutil.which(f"python{version}")
    if interpreter is None:
        return None
    # A version manager can have a shim for a version that is not installed.
    works = subprocess.run([interpreter, "-c", "pass"], capture_output=True, check=False).returncode == 0
    return interpreter if works else None


def _compile(target: Path, runtime: Runtime) -> None:
    """Write byte code for each file. A Lambda cannot write its own, and compiling is most of the time of an import."""
    interpreter = _find_interpreter(runtime.python)
    if interpreter is None:
        print(
            f"python{runtime.python} was not found on this machine, so the Lambdas have no byte code and start more "
            "slowly. Install it, or set another pythonVersion.",
            file=sys.stderr,
        )
        return
    # unchecked-hash, since file times in a Lambda are meaningless. -s and -p set the path in tracebacks to Lambda's.
    command = [interpreter, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(target), "-p", "/var/task", str(target)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})


def _write_bootstrap(target: Path) -> None:
    bootstrap = target / "bootstrap"
    bootstrap.write_text(_BOOTSTRAP)
    bootstrap.chmod(bootstrap.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
