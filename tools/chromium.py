"""Chromium for the console's tests: the installed one, or one from the package manager.

``python -m tools.chromium`` installs it where it can do so without asking: as root on Debian and its derivatives.
Elsewhere the tests that need it are skipped with a message. ``METERING_CHROMIUM`` names another browser.
"""

import os
import shutil
import subprocess
import sys
from typing import Final

# Chromium without windows needs half the processor time. Debian has a package of it, other distributions do not.
_HEADLESS: Final = "chromium-headless-shell"
_NAMES: Final = (_HEADLESS, "chromium", "chromium-browser", "google-chrome")
CHROMIUM_MISSING: Final = "Chromium not found; install it or set METERING_CHROMIUM to its path"
# As root it runs only without its sandbox. The other options prevent requests to its vendor.
CHROMIUM_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """The browser's path; ``None`` if there is none."""
    return os.environ.get("METERING_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


def main() -> int:
    """Install Chromium if it is missing and the package manager can be used; never fails."""
    apt = shutil.which("apt-get")
    if find_chromium() is None and apt and os.geteuid() == 0:
        print("Installing Chromium for the console's tests")
        _run(apt, "update")
        if not _run(apt, "install", "-y", "--no-install-recommends", _HEADLESS):
            _run(apt, "install", "-y", "--no-install-recommends", "chromium")
    if find_chromium() is None:
        print(f"The console's browser tests will be skipped: {CHROMIUM_MISSING}.")
    return 0


def _run(*command: str) -> bool:
    """Run a command of the package manager; false if it failed."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
