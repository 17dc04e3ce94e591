"""A real browser for the console's tests: Chromium, of the machine's own or from its package manager.

``python -m tests.browser`` installs it where that can be done without asking: as root on Debian and its kin. Elsewhere
the tests that need it are skipped and say so. ``METERING_CHROMIUM`` names another one.
"""

import os
import shutil
import subprocess
import sys
from typing import Final

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
MISSING: Final = "no Chromium on this machine; install it, or name one in METERING_CHROMIUM"
# As root it runs without its sandbox; the others keep it from calling home.
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """The browser's path, if there is one."""
    given = os.environ.get("METERING_CHROMIUM")
    return given or next((found for name in _NAMES if (found := shutil.which(name))), None)


def main() -> int:
    """Install it if it is missing and can be had; never fails."""
    apt = shutil.which("apt-get")
    if chromium() is None and apt and os.geteuid() == 0:
        print("Installing Chromium for the console's tests")
        for words in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run([apt, *words], env=environment, capture_output=True, check=False)
    if chromium() is None:
        print(f"The console's tests in a browser will be skipped: {MISSING}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
