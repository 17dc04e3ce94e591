"""The code of the Lambdas, built without Docker: our modules, their dependencies, and byte code.

All functions share one bundle. It is cached under a hash of its input, so that it is built once and the same input
gives the same asset.
"""

import contextlib
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

from amberflo_workflows.infra.cache import get_cache_folder
from amberflo_workflows.infra.package_index import ANY_INDEX, InvalidPackageSettings, build_uv_environment
from amberflo_workflows.infra.settings import Runtime

# The installed package; in a checkout its folders are links, so this path is not resolved.
PACKAGE: Final = Path(__file__).absolute().parents[1]
LOCK: Final = PACKAGE / "requirements" / "lambda.txt"
MAX_UNUSED_SECONDS: Final = 30 * 24 * 60 * 60
# What an entry of the cache contains.
_CODE: Final = "lambda"
_DIGEST: Final = "digest"
_PLATFORMS: Final = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}
# The emulator is started with PYTHON set to the interpreter that has AWS's runtime client (awslambdaric).
_BOOTSTRAP: Final = '#!/bin/sh\nexec "$PYTHON" -m awslambdaric "$_HANDLER"\n'


class BundleFailed(RuntimeError):
    """The bundle could not be built; the message says what to do."""


def bundle(runtime: Runtime, cache: Path | None = None) -> Path:
    """Return the folder with the Lambdas' code for a runtime. Builds it in ``cache`` if it is not there.

    Raises :class:`BundleFailed`.
    """
    cache = cache or get_cache_folder()
    entry = cache / f"bundle-{_compute_fingerprint(runtime)}"
    if _is_intact(entry):
        entry.touch()
        return entry / _CODE
    cache.mkdir(parents=True, exist_ok=True)
    _delete_unused(cache)
    with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as folder:
        unfinished = Path(folder) / entry.name
        _build(unfinished, runtime)
        if not _is_intact(entry):
            with contextlib.suppress(FileNotFoundError):
                entry.rename(Path(folder) / "damaged")
        try:
            unfinished.rename(entry)
        except OSError:
            # Another process has built the same bundle in the meantime.
            if not _is_intact(entry):
                raise
    return entry / _CODE


def _build(entry: Path, runtime: Runtime) -> None:
    code = entry / _CODE
    _install(code, runtime)
    _copy_own_code(code)
    _compile(code, runtime)
    if runtime.local:
        _write_bootstrap(code)
    _set_modes(code)
    (entry / _DIGEST).write_text(_compute_digest(code))


def _set_modes(folder: Path) -> None:
    """Let everybody read the files, whatever the umask of this process: in a Lambda another user does."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)


def _is_intact(entry: Path) -> bool:
    """Whether the cache has this bundle as it was built, with the same modes, and nothing was deleted or changed."""
    try:
        return (entry / _DIGEST).read_text() == _compute_digest(entry / _CODE)
    except OSError:
        return False


def _compute_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name, mode = path.relative_to(folder).as_posix(), stat.S_IMODE(path.stat().st_mode)
        digest.update(f"{name}\0{mode:o}\0".encode())
        if path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _delete_unused(cache: Path) -> None:
    # Releases before this layout called a bundle lambda-….
    for old in (*cache.glob("bundle-*"), *cache.glob("lambda-*")):
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
