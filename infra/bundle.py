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
from pathlib import Path
from typing import Final

import uv

from amberflo_workflows.infra.cache import get_cache_folder
from amberflo_workflows.infra.cached_folder import InputChanged, get_or_build
from amberflo_workflows.infra.package_index import ANY_INDEX, InvalidPackageSettings, build_uv_environment
from amberflo_workflows.infra.settings import Runtime

# The installed package; in a checkout its folders are links, so this path is not resolved.
PACKAGE: Final = Path(__file__).absolute().parents[1]
LOCK: Final = PACKAGE / "requirements" / "lambda.txt"
_PLATFORMS: Final = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}
# The emulator is started with PYTHON set to the interpreter that has AWS's runtime client (awslambdaric).
_BOOTSTRAP: Final = '#!/bin/sh\nexec "$PYTHON" -m awslambdaric "$_HANDLER"\n'


class BundleFailed(RuntimeError):
    """The bundle could not be built; the message says what to do."""


def bundle(runtime: Runtime, cache: Path | None = None) -> Path:
    """Return the folder with the Lambdas' code for a runtime. Builds it in ``cache`` if it is not there.

    Raises :class:`BundleFailed`.
    """
    try:
        return get_or_build(
            cache or get_cache_folder(),
            "code",
            lambda: _compute_fingerprint(runtime),
            lambda code: _build(code, runtime),
        )
    except InputChanged as error:
        raise BundleFailed(str(error)) from None


def _build(code: Path, runtime: Runtime) -> None:
    _install(code, runtime)
    _copy_own_code(code)
    _compile(code, runtime)
    if runtime.local:
        _write_bootstrap(code)
    _set_modes(code)


def _set_modes(folder: Path) -> None:
    """Let everybody read the files, whatever the umask of this process: in a Lambda another user does."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)


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
    # Copies, since the modes of files are set, which a link would share with the cache of uv.
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--link-mode", "copy", "--target", str(target)]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", *ANY_INDEX, "--python", sys.executable]
    command += ["--python-version", runtime.python, "-r", str(LOCK)]
    if not runtime.local:
        command += ["--python-platform", _PLATFORMS[runtime.architecture]]
    try:
        environment = build_uv_environment()
    except InvalidPackageSettings as error:
        raise BundleFailed(str(error)) from None
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
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
