"""The folder for what is built once, for users with and without a home directory."""

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path


def get_cache_folder() -> Path:
    """Return this user's cache folder, in ``$XDG_CACHE_HOME`` or else ``~/.cache``.

    A user without a home directory to write to, as in some containers, has a folder that lasts as long as this process.
    """
    cache = _find_base() / "amberflo-workflows"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return _create_temporary_cache()
    return cache if os.access(cache, os.W_OK) else _create_temporary_cache()


def use_caches_without_home() -> None:
    """Give jsii and uv, which keep files in the home directory too, other folders if there is no such directory."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises an error if there is none
    if home.is_dir() and os.access(home, os.W_OK):
        return
    os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE", "disabled")
    os.environ.setdefault("UV_CACHE_DIR", str(get_cache_folder() / "uv"))


def _find_base() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 - as above
    # Without a home directory, the path still starts with the tilde.
    return base if base.is_absolute() else _create_temporary_cache()


@functools.cache
def _create_temporary_cache() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="amberflo-workflows-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
