"""Run a module as a server that ends with its starter: ``python -m amberflo_workflows.local.supervision MODULE ARG…``.

The starter holds the other end of the standard input. When the starter ends, for any reason, the input closes and this
process is killed, so that it saves no incomplete state. If the starter writes to the input first, the server goes on.
"""

import os
import runpy
import signal
import sys
import threading
import traceback


def _watch_starter() -> None:
    if os.read(sys.stdin.fileno(), 1):
        return
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run the module as ``__main__``, then end all processes of this process group."""
    _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    threading.Thread(target=_watch_starter, daemon=True).start()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except Exception:  # noqa: BLE001 - it must be in the log before the group ends
        traceback.print_exc()
        sys.exit(1)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)


if __name__ == "__main__":
    main()
