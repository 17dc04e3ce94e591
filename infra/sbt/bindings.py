"""Python bindings for SBT, which is published for JavaScript only; ``python -m`` this module writes them as a wheel.

Our own names keep them apart from any that AWS may publish one day: distribution ``amberflo-sbt``, module
``amberflo_sbt``. What goes in is pinned by hash in the files beside this one; no install script of npm runs, and
nothing is put into the environment that this runs in.
"""

import argparse
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import uv

from amberflo_workflows.infra.bundle import get_cache_folder
from amberflo_workflows.infra.node import NodeMissing, find_node, find_npm

MODULE: Final = "amberflo_sbt"
OUT: Final = Path("build") / "sbt"
_PACKAGE: Final = "@cdklabs/sbt-aws"
_HERE: Final = Path(__file__).parent
_PINS: Final = ("package.json", "package-lock.json", "build.txt")
_PYTHON: Final = {"distName": MODULE.replace("_", "-"), "module": MODULE}


class BindingsFailed(RuntimeError):
    """The bindings could not be made; the message says which step failed, and with what words."""


def build_wheel(out: Path = OUT, package: Path | None = None) -> Path:
    """Write the bindings' wheel into ``out`` and give its path.

    ``package`` is an npm package file of SBT to make them for, such as a build of its main branch; by default it is
    the pinned release. Made once and kept in the user's cache. Raises :class:`BindingsFailed`, :class:`NodeMissing`.
    """
    if package and not package.is_file():
        raise BindingsFailed(f"There is no file {package}; give the .tgz that SBT's build leaves in dist/js.")
    kept = get_cache_folder() / f"sbt-{_compute_fingerprint(package)}"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix="building-") as folder:
            made = _build(Path(folder), package)
            try:
                made.rename(kept)
            except OSError:
                # Another process was faster; what it built is the same.
                if not kept.is_dir():
                    raise
    (found,) = kept.glob("*.whl")
    out.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(found, out))


def _compute_fingerprint(package: Path | None) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in (*(_HERE / name for name in _PINS), *([package] if package else [])):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build(folder: Path, package: Path | None) -> Path:
    """The folder with the wheel in it."""
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
    build = [uv.find_uv_bin(), "build", "--quiet", "--wheel", "--no-config", "--python", sys.executable]
    build += ["--require-hashes", "--build-constraints", str(folder / "build.txt"), "--out-dir", str(folder / "made")]
    _run([*build, str(folder / "code" / "python")], folder, environment)
    return folder / "made"


def _add_node_to_path(folder: Path) -> dict[str, str]:
    """Environment variables for programs that call ``node`` and ``npm`` by name.

    The ``npm`` script in Node's wheel does not run as it is, so ``folder`` gets scripts that start both.
    """
    folder.mkdir()
    for name, command in (("node", [find_node()]), ("npm", find_npm())):
        quoted = " ".join(f'"{part}"' for part in command)
        (folder / name).write_text(f'#!/bin/sh\nexec {quoted} "$@"\n')
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def _add_python_names(source: Path) -> None:
    """Tell jsii the names that the Python package shall have; SBT's own description has none."""
    assembly, manifest = source / ".jsii", source / "package.json"
    described = _read_assembly(assembly)
    described.setdefault("targets", {})["python"] = _PYTHON
    assembly.write_text(json.dumps(described))
    package = json.loads(manifest.read_text())
    package["jsii"].setdefault("targets", {})["python"] = _PYTHON
    manifest.write_text(json.dumps(package))


def _read_assembly(path: Path) -> dict[str, Any]:
    """jsii's description of a package; newer versions keep it compressed in a file beside."""
    described: dict[str, Any] = json.loads(path.read_text())
    if described.get("schema") == "jsii/file-redirect":
        described = json.loads(gzip.decompress((path.parent / described["filename"]).read_bytes()))
    return described


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2_000:]
        raise BindingsFailed(f"The bindings could not be made: `{' '.join(map(str, command))}` failed with\n{said}")


def render_install_hint(made: Path) -> str:
    """What to do with the wheel."""
    return f"Next, in the environment of your CDK app: pip install 'amberflo-workflows[cdk]' {made}"


def main(arguments: Sequence[str]) -> int:
    """As a command: writes the wheel and says how to install it."""
    parser = argparse.ArgumentParser(prog="sbt-bindings", description="Python bindings for the SaaS Builder Toolkit.")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the wheel (default: %(default)s)")
    parser.add_argument("--package", type=Path, help="SBT's npm package as a file; default: the pinned release")
    given = parser.parse_args(arguments)
    try:
        made = build_wheel(given.out, given.package)
    except (BindingsFailed, NodeMissing) as error:
        print(error, file=sys.stderr)
        return 1
    print(render_install_hint(made))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
