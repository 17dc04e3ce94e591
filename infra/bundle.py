"""The code of the Lambdas, built without Docker: our steps, what they import, and their byte code.

One bundle serves every function. It is kept under a name made from what went into it, so that building it again
costs nothing and the same input is the same asset.
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

# The package as Python sees it, in a checkout through links: every room is beside this one.
PACKAGE: Final = Path(__file__).absolute().parents[1]
LOCK: Final = PACKAGE / "requirements" / "lambda.txt"
MAX_UNUSED_SECONDS: Final = 30 * 24 * 60 * 60
_PLATFORMS: Final = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}
# PYTHON is set where the emulator is started: the interpreter whose packages hold AWS's runtime client.
_BOOTSTRAP: Final = '#!/bin/sh\nexec "$PYTHON" -m awslambdaric "$_HANDLER"\n'


class BundleFailed(RuntimeError):
    """The bundle could not be built; the message says what to do."""


def get_cache_folder() -> Path:
    """Where bundles are kept for this user: ``$XDG_CACHE_HOME``, else ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amberflo-workflows"


def bundle(runtime: Runtime, cache: Path | None = None) -> Path:
    """The folder with the Lambdas' code for a runtime, built in ``cache`` unless it is there.

    Raises :class:`BundleFailed`.
    """
    cache = cache or get_cache_folder()
    built = cache / f"lambda-{_compute_fingerprint(runtime)}"
    if built.is_dir():
        built.touch()
        return built
    cache.mkdir(parents=True, exist_ok=True)
    _delete_unused(cache)
    with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as folder:
        half = Path(folder) / "lambda"
        _install(half, runtime)
        _copy_own_code(half)
        _compile(half, runtime)
        if runtime.local:
            _write_bootstrap(half)
        try:
            half.rename(built)
        except OSError:
            # Another process was faster; what it built is the same.
            if not built.is_dir():
                raise
    return built


def _delete_unused(cache: Path) -> None:
    for old in cache.glob("lambda-*"):
        if time.time() - old.stat().st_mtime > MAX_UNUSED_SECONDS:
            shutil.rmtree(old, ignore_errors=True)


def _list_sources() -> list[tuple[str, Path]]:
    """Our own files, by their place in the bundle."""
    files = [("amberflo_workflows/__init__.py", PACKAGE / "__init__.py")]
    for room in ("core", "tasks", "entrypoints"):
        folder = PACKAGE / room
        found = sorted(path for path in folder.rglob("*.*") if path.suffix in {".py", ".json"})
        files += [(f"amberflo_workflows/{room}/{path.relative_to(folder).as_posix()}", path) for path in found]
    return files


def _compute_fingerprint(runtime: Runtime) -> str:
    digest = hashlib.sha256(repr(runtime).encode() + LOCK.read_bytes() + _BOOTSTRAP.encode())
    for name, path in _list_sources():
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    # Not only the version decides what byte code comes out, but whether there is any.
    digest.update(str(_find_interpreter(runtime.python) is not None).encode())
    return digest.hexdigest()[:16]


def _install(target: Path, runtime: Runtime) -> None:
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-config", "--target", str(target)]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--python", sys.executable]
    command += ["--python-version", runtime.python, "-r", str(LOCK)]
    if not runtime.local:
        command += ["--python-platform", _PLATFORMS[runtime.architecture]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BundleFailed(f"The Lambdas' packages could not be installed from {LOCK.name}:\n{done.stderr.strip()}")
    for unneeded in (*target.glob("*.dist-info/RECORD"), *target.glob("*.dist-info/INSTALLER"), target / ".lock"):
        unneeded.unlink(missing_ok=True)
    # Command-line programs of the packages, with this machine's interpreter in their first line.
    shutil.rmtree(target / "bin", ignore_errors=True)


def _copy_own_code(target: Path) -> None:
    for name, path in _list_sources():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _find_interpreter(version: str) -> str | None:
    """An interpreter of the target's version, since byte code is good for one version only."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    found = shutil.which(f"python{version}")
    if found is None:
        return None
    # A version manager's shim may be there for a version that is not.
    works = subprocess.run([found, "-c", "pass"], capture_output=True, check=False).returncode == 0
    return found if works else None


def _compile(target: Path, runtime: Runtime) -> None:
    """Byte code beside each file. A Lambda cannot write its own, and compiling is most of an import."""
    interpreter = _find_interpreter(runtime.python)
    if interpreter is None:
        print(
            f"There is no python{runtime.python} on this machine, so the Lambdas carry no byte code and start "
            "slower. Install it, or choose another pythonVersion.",
            file=sys.stderr,
        )
        return
    # Unchecked: the date of a file in a Lambda says nothing. The path shown in tracebacks is Lambda's.
    command = [interpreter, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(target), "-p", "/var/task", str(target)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})


def _write_bootstrap(target: Path) -> None:
    bootstrap = target / "bootstrap"
    bootstrap.write_text(_BOOTSTRAP)
    bootstrap.chmod(bootstrap.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
