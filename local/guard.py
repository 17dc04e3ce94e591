"""Run a server for as long as its starter lives: ``python -m amberflo_workflows.local.guard COMMAND…``.

The starter holds the other end of our standard input. When it ends, in whatever way, the input ends, and so do the
server and all that is in our session.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Start the command, and end it with its starter."""
    server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def end_with_starter() -> None:
        sys.stdin.buffer.read()
        server.terminate()

    def forward(_number: int, _frame: object) -> None:
        server.terminate()

    signal.signal(signal.SIGTERM, forward)
    threading.Thread(target=end_with_starter, daemon=True).start()
    code = server.wait()
    # Workers that the server left; we are the leader of their group, so this ends us as well.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(0, signal.SIGTERM)
    return code


if __name__ == "__main__":
    sys.exit(main())
