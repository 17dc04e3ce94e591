"""Let botocore read its files once per process.

Each of its sessions reads them again, which takes a quarter of a second for a command with two clients. What is read is
not changed afterwards, except that botocore adds the same rules to a model each time.
"""

from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

_load_file = JSONFileLoader().load_file
_list_services = Loader.list_available_services


def share_service_models() -> None:
    """Share what was read among all sessions of this process, and of those that are forked from it."""
    setattr(JSONFileLoader, "load_file", staticmethod(_load_once))  # noqa: B010 - mypy rejects an assignment
    setattr(Loader, "list_available_services", _list_once)  # noqa: B010 - as above


@cache
def _load_once(path: str) -> Any:
    return _load_file(path)


def _list_once(loader: Loader, type_name: str) -> list[str]:
    return _list_services_in(tuple(loader.search_paths), type_name)


@cache
def _list_services_in(paths: tuple[str, ...], type_name: str) -> list[str]:
    loader = Loader(include_default_search_paths=False)
    loader.search_paths.extend(paths)
    return _list_services(loader, type_name)
