"""Runs in place of Node, for npm and jsii-pacmak: a build of bindings without npm's packages and jsii's generator.

npm's ``ci`` installs the release of SBT, and ``install`` the package that is passed; jsii-pacmak writes a package for
Python with the names and the version that it reads. ``install_stand_in`` installs this file as Node.
"""

import json
import shutil
import sys
import tarfile
from pathlib import Path

RELEASE = {"package.json": {"version": "0.5.25", "jsii": {}}, ".jsii": {"version": "0.5.25"}}
SBT = Path("node_modules", "@cdklabs", "sbt-aws")


def install_stand_in(folder: Path) -> Path:
    """Return the path of the program, with npm's script where Node has it."""
    node, npm = folder / "bin" / "node", folder / "lib/node_modules/npm/bin/npm-cli.js"
    for path in (node, npm):
        path.parent.mkdir(parents=True)
    npm.touch()
    node.write_text(f"#!{sys.executable}\n{Path(__file__).read_text()}")
    node.chmod(0o755)
    return node


def _install_release() -> None:
    SBT.mkdir(parents=True)
    for name, content in RELEASE.items():
        (SBT / name).write_text(json.dumps(content))


def _install_package(package: Path) -> None:
    shutil.rmtree(SBT)
    with tarfile.open(package) as archive:
        archive.extractall("unpacked", filter="data")
    Path("unpacked", "package").rename(SBT)


def _generate(out: Path) -> None:
    package, assembly = (json.loads(Path(name).read_text()) for name in ("package.json", ".jsii"))
    names = package["jsii"]["targets"]["python"]
    module = out / "python" / "src" / names["module"]
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    project = {"name": names["distName"], "version": assembly["version"]}
    lines = ["[project]", *(f"{name} = {json.dumps(value)}" for name, value in project.items())]
    (out / "python" / "pyproject.toml").write_text("\n".join(lines))


def _main(script: str, *arguments: str) -> None:
    if script.endswith("npm-cli.js") and arguments[0] == "ci":
        _install_release()
    elif script.endswith("npm-cli.js") and arguments[0] == "install":
        _install_package(Path(arguments[-1]))
    else:
        _generate(Path(arguments[arguments.index("--outdir") + 1]))


if __name__ == "__main__":
    _main(*sys.argv[1:])
