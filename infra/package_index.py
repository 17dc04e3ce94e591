"""uv with the package indexes of this machine: uv reads its own settings, and not those of pip, which many have.

The Makefile runs this file as a script, before the package is installed: ``python infra/package_index.py pip sync …``.
"""

import configparser
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import uv

# What pip calls an option, and the variable of uv with the same meaning. uv separates the folders by commas.
_INDEXES: Final = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS"}
_CONNECTIONS: Final = {
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
}
_SEPARATORS: Final = {"find-links": ","}
_UV_VARIABLES: Final = {*_INDEXES.values(), "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"}
_UV_KEYS: Final = {"index", "index-url", "extra-index-url", "find-links", "no-index"}
_ETC: Final = Path("/etc")
# Every version is locked with its hashes, so that it does not matter which of the indexes serves it.
ANY_INDEX: Final = ("--index-strategy", "unsafe-best-match")


class InvalidPackageSettings(ValueError):
    """A file of pip or uv is invalid; the message says which."""


def build_uv_environment() -> dict[str, str]:
    """Build the environment in which uv uses the indexes that are configured for uv, or else those for pip.

    Variables take precedence over files. Raises :class:`InvalidPackageSettings`.
    """
    try:
        return _build()
    except (OSError, ValueError, configparser.Error) as error:
        raise InvalidPackageSettings(f"The settings of pip or uv for package indexes cannot be read: {error}") from None


def _build() -> dict[str, str]:
    environment = dict(os.environ)
    variables = {
        option: value for option in (*_INDEXES, *_CONNECTIONS) if (value := os.environ.get(_pip_variable(option)))
    }
    options = _read_pip_files() | variables
    if any(os.environ.get(name) for name in _UV_VARIABLES) or (
        not variables.keys() & _INDEXES.keys() and _uv_files_have_an_index()
    ):
        options = {name: value for name, value in options.items() if name in _CONNECTIONS}
    for option, value in options.items():
        separated = _SEPARATORS.get(option, " ").join(value.split())
        environment.setdefault((_INDEXES | _CONNECTIONS)[option], separated)
    return environment


def _pip_variable(option: str) -> str:
    return f"PIP_{option.upper().replace('-', '_')}"


def _read_pip_files() -> dict[str, str]:
    """Read the options in pip's files. Later files take precedence, and so does the section for ``pip install``."""
    options: dict[str, str] = {}
    for path in _list_pip_files():
        parser = configparser.RawConfigParser()
        parser.read(path, encoding="utf-8")
        for section in ("global", "install"):
            values = dict(parser.items(section)) if parser.has_section(section) else {}
            options |= {name: value for name, value in values.items() if name in _INDEXES | _CONNECTIONS}
    return options


def _list_pip_files() -> Iterator[Path]:
    """List where pip looks for its files, in ascending order of precedence; not all of them exist."""
    chosen = os.environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return
    for folder in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep):
        yield Path(folder) / "pip" / "pip.conf"
    yield _ETC / "pip.conf"
    yield from (folder / "pip" / "pip.conf" for folder in _list_library_folders("/"))
    yield from (folder / ".pip" / "pip.conf" for folder in _list_home())
    yield from (folder / "pip" / "pip.conf" for folder in _list_user_config())
    yield from (folder / "pip" / "pip.conf" for home in _list_home() for folder in _list_library_folders(str(home)))
    yield Path(sys.prefix) / "pip.conf"
    if chosen:
        yield Path(chosen)


def _list_library_folders(root: str) -> list[Path]:
    return [Path(root) / "Library" / "Application Support"] if sys.platform == "darwin" else []


def _list_home() -> list[Path]:
    """Return the user's home directory, if there is one."""
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises an error if there is none
    return [] if home == "~" else [Path(home)]


def _list_user_config() -> list[Path]:
    chosen = os.environ.get("XDG_CONFIG_HOME")
    return [Path(chosen)] if chosen else [home / ".config" for home in _list_home()]


def _uv_files_have_an_index() -> bool:
    if os.environ.get("UV_NO_CONFIG"):
        return False
    return any(_has_index(settings) for settings in _read_uv_files())


def _read_uv_files() -> Iterator[Mapping[str, Any]]:
    """Read the settings in uv's files: of the project (the nearest folder with any), the user and the system."""
    if chosen := os.environ.get("UV_CONFIG_FILE"):
        yield tomllib.loads(Path(chosen).read_text())
        return
    for folder in (Path.cwd(), *Path.cwd().parents):
        settings = _read_toml(folder / "uv.toml") or _read_toml(folder / "pyproject.toml").get("tool", {}).get("uv")
        if settings:
            yield settings
            break
    system = [Path(folder) for folder in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep)]
    for folder in (*_list_user_config(), *system, _ETC):
        yield _read_toml(folder / "uv" / "uv.toml")


def _read_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text()) if path.is_file() else {}


def _has_index(settings: Mapping[str, Any]) -> bool:
    return bool(_UV_KEYS & (settings.keys() | settings.get("pip", {}).keys()))


if __name__ == "__main__":
    os.execve(uv.find_uv_bin(), ["uv", *sys.argv[1:]], build_uv_environment())  # noqa: S606 - a list, and no shell
