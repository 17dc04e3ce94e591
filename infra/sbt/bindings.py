"""Python bindings for SBT, which is published for JavaScript only. Run this module with ``python -m`` to build a wheel.

The distribution is ``amberflo-sbt`` and the module ``amberflo_sbt``, so that they cannot clash with bindings that AWS
may publish. All inputs are pinned by hash in the files of this folder. No install script of npm runs, and nothing is
installed into the current environment.
"""

import argparse
import gzip
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import uv

from amberflo_workflows.infra.cache import get_cache_folder
from amberflo_workflows.infra.node import NodeMissing, find_node, find_npm
from amberflo_workflows.infra.package_index import ANY_INDEX, InvalidPackageSettings, build_uv_environment

MODULE: Final = "amberflo_sbt"
OUT: Final = Path("build") / "sbt"
_PACKAGE: Final = "@cdklabs/sbt-aws"
_HERE: Final = Path(__file__).parent
_PINS: Final = ("package.json", "package-lock.json", "build.txt")
_PYTHON: Final = {"distName": MODULE.replace("_", "-"), "module": MODULE}


class BindingsFailed(RuntimeError):
    """The bindings could not be built; the message has the failed command and its output."""


def build_wheel(out: Path = OUT, package: Path | None = None) -> Path:
    """Write the wheel with the bindings into ``out`` and return its path.

    ``package`` is an npm package file of SBT, such as a build of its main branch; the default is the pinned release.
    The wheel is built once and cached for the user. Raises :class:`BindingsFailed`, :class:`NodeMissing`.
    """
    if package and not package.is_file():
        raise BindingsFailed(f"The file {package} was not found. Specify the .tgz that SBT's build writes to dist/js.")
    cached = get_cache_folder() / f"sbt-{_compute_fingerprint(package)}"
    if not cached.is_dir():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent, prefix="building-") as folder:
            built = _build(Path(folder), package)
            try:
                built.rename(cached)
            except OSError:
                # Another process has built the same wheel in the meantime.
                if not cached.is_dir():
                    raise
    (wheel,) = cached.glob("*.whl")
    out.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(wheel, out))


def _compute_fingerprint(package: Path | None) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in (*(_HERE / name for name in _PINS), *([package] if package else [])):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build(folder: Path, package: Path | None) -> Path:
    """Build the wheel below ``folder`` and return the folder that contains it."""
    for name in _PINS:
        shutil.copyfile(_HERE / name, folder / name)
    environment = _add_node_to_path(folder / "bin")
    _run([*find_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, environment)
    if package:
        install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", str(package.absolute())]
        _run([*find_npm(), *install], folder, environment)
    source = folder / "node_modules" / _PACKAGE
    _add_python_names(source)
    pacmak = folder / "node_modules" / "jsii-pacmak" / "bin" / "jsii-pacmak"
    generate = ["--code-only", "--targets", "python", "--no-npmignore", "--outdir", str(folder / "code"), "."]
    _run([find_node(), str(pacmak), *generate], source, environment)
    build = [uv.find_uv_bin(), "build", "--quiet", "--wheel", *ANY_INDEX, "--python", sys.executable]
    build += ["--require-hashes", "--build-constraints", str(folder / "build.txt"), "--out-dir", str(folder / "dist")]
    try:
        indexes = build_uv_environment()
    except InvalidPackageSettings as error:
        raise BindingsFailed(str(error)) from None
    _run([*build, str(folder / "code" / "python")], folder, indexes | {"PATH": environment["PATH"]})
    return folder / "dist"


def _add_node_to_path(folder: Path) -> dict[str, str]:
    """Environment variables for programs that call ``node`` and ``npm`` by name.

    The ``npm`` script in Node's wheel does not run as it is, so ``folder`` gets scripts that start both.
    """
    folder.mkdir()
    for name, command in (("node", [find_node()]), ("npm", find_npm())):
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def _add_python_names(source: Path) -> None:
    """Set the names of the Python package for jsii, which SBT's own configuration does not have."""
    assembly_file, manifest = source / ".jsii", source / "package.json"
    assembly = _read_assembly(assembly_file)
    assembly.setdefault("targets", {})["python"] = _PYTHON
    assembly_file.write_text(json.dumps(assembly))
    package = json.loads(manifest.read_text())
    package["jsii"].setdefault("targets", {})["python"] = _PYTHON
    manifest.write_text(json.dumps(package))


def _read_assembly(path: Path) -> dict[str, Any]:
    """Read jsii's description of a package. Newer versions of jsii compress it into a second file."""
    assembly: dict[str, Any] = json.loads(path.read_text())
    if assembly.get("schema") == "jsii/file-redirect":
        assembly = json.loads(gzip.decompress((path.parent / assembly["filename"]).read_bytes()))
    return assembly


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        output = (result.stderr.strip() or result.stdout.strip())[-2_000:]
        raise BindingsFailed(f"The bindings could not be built: `{' '.join(map(str, command))}` failed with\n{output}")


def render_install_hint(wheel: Path) -> str:
    """Render the next step: how to install the wheel."""
    return f"Next, in the environment of your CDK app, which has amberflo-workflows[cdk]: pip install {wheel}"


def main(arguments: Sequence[str]) -> int:
    """Write the wheel and print how to install it."""
    parser = argparse.ArgumentParser(prog="sbt-bindings", description="Python bindings for the SaaS Builder Toolkit.")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the wheel (default: %(default)s)")
    parser.add_argument("--package", type=Path, help="file with SBT's npm package (default: the pinned release)")
    args = parser.parse_args(arguments)
    try:
        wheel = build_wheel(args.out, args.package)
    except (BindingsFailed, NodeMissing) as error:
        print(error, file=sys.stderr)
        return 1
    print(render_install_hint(wheel))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
