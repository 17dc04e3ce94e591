"""Folders that are built once: an entry of the cache has a name with a hash of what it is made from."""

import contextlib
import hashlib
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

MAX_UNUSED_SECONDS: Final = 30 * 24 * 60 * 60
# The last two are what earlier releases called the code.
_ENTRIES: Final = ("assembly-*", "building-*", "code-*", "bundle-*", "lambda-*")
# What an entry consists of.
_CONTENT: Final = "content"
_DIGEST: Final = "digest"


class InputChanged(RuntimeError):
    """What a folder is made from was changed while the folder was built."""


def get_or_build(cache: Path, kind: str, fingerprint: Callable[[], str], build: Callable[[Path], None]) -> Path:
    """Return the folder of this kind in the cache for a fingerprint, which is a hash of what it is made from.

    If it is missing or damaged, ``build`` writes it, which gets its path. Several processes may call this at a time.
    Nobody may change the folder. Raises :class:`InputChanged`.
    """
    name = f"{kind}-{fingerprint()}"
    entry = cache / name
    if is_intact(entry):
        entry.touch()
        return entry / _CONTENT
    cache.mkdir(parents=True, exist_ok=True)
    _delete_unused(cache)
    with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as folder:
        unfinished = Path(folder) / name
        build(unfinished / _CONTENT)
        if f"{kind}-{fingerprint()}" != name:
            raise InputChanged("The sources were changed while they were used. Start the command again.")
        (unfinished / _DIGEST).write_text(_compute_digest(unfinished / _CONTENT))
        if not is_intact(entry):
            with contextlib.suppress(FileNotFoundError):
                entry.rename(Path(folder) / "damaged")
        try:
            unfinished.rename(entry)
        except OSError:
            # Another process has built the same folder in the meantime.
            if not is_intact(entry):
                raise
    return entry / _CONTENT


def is_intact(entry: Path) -> bool:
    """Whether the cache has this entry as it was built, with the same modes, and nothing was deleted or changed."""
    try:
        return (entry / _DIGEST).read_text() == _compute_digest(entry / _CONTENT)
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
    for old in (path for pattern in _ENTRIES for path in cache.glob(pattern)):
        if time.time() - old.stat().st_mtime > MAX_UNUSED_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
