"""A small HTTP server in this process, for responses that neither the emulator nor the sandbox gives."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from amberflo_workflows.operate.loopback import LOOPBACK


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve requests on a free port of loopback until the end of the ``with`` block. Yields the URL."""
    server = ThreadingHTTPServer((LOOPBACK, 0), handler)
    # Connections that a client keeps open would delay the end of the test.
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
