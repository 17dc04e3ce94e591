"""Run a module as a server that ends with its starter: ``python -m amberflo_workflows.local.supervision MODULE ARG…``.

The starter holds the other end of our standard input. When it ends, in whatever way, the input ends and so do we,
unless the starter has let us go by writing to it. We end at once then: what was half done is not to be saved.
"""

import os
import runpy
import signal
import sys
import threading
import traceback


def _end_with_starter() -> None:
    if os.read(sys.stdin.fileno(), 1):
        return
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run the module as if it had been started itself; what it leaves in our group ends with us."""
    _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    threading.Thread(target=_end_with_starter, daemon=True).start()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except Exception:  # noqa: BLE001 - the log has to hold it before the group ends
        traceback.print_exc()
        sys.exit(1)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)


if __name__ == "__main__":
    main()
