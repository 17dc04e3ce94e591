import os
import subprocess
import sys
from pathlib import Path

from amberflo_workflows.console.packages import FILES, installed

CODE = "from amberflo_workflows.console.packages import installed; print(installed())"


def test_the_packages_are_installed_once_and_hold_what_the_pages_ask_for() -> None:
    folder = installed()
    assert [name for name, path in FILES.items() if not (folder / path).is_file()] == []
    assert installed() == folder


def test_without_the_registry_it_is_told_in_one_line_and_nothing_half_made_is_kept(tmp_path: Path) -> None:
    offline = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_cache": str(tmp_path / "npm")}
    environment = {**os.environ, **offline, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert "The console's pages cannot be set up, since npm did not install their packages" in last
    assert "ECONNREFUSED" in last
    assert list((tmp_path / "amberflo-workflows").iterdir()) == []
