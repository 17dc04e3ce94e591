import os
import subprocess
import sys
from pathlib import Path

from amberflo_workflows.console.packages import FILES, install_packages

CODE = "from amberflo_workflows.console.packages import install_packages; print(install_packages())"


def test_installs_the_packages_once_with_all_files_of_the_pages() -> None:
    folder = install_packages()
    assert [name for name, path in FILES.items() if not (folder / path).is_file()] == []
    assert install_packages() == folder


def test_without_npm_registry_it_fails_with_one_line_and_an_empty_cache(tmp_path: Path) -> None:
    offline = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_cache": str(tmp_path / "npm")}
    environment = {**os.environ, **offline, "XDG_CACHE_HOME": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=False)
    message = result.stderr.splitlines()[-1]
    assert "The console's packages could not be installed. npm failed" in message
    assert "ECONNREFUSED" in message
    assert list((tmp_path / "amberflo-workflows").iterdir()) == []
