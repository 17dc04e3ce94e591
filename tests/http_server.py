"""A small HTTP server in this process, for responses that neither the emulator nor the sandbox gives."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from amberflo_workflows.operate.loopback import LOOPBACK


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve requests on a free port of loopback until the end of the ``with`` block, over TLS with a context for it.

    Yields the URL.
    """
    server = ThreadingHTTPServer((LOOPBACK, 0), handler)
    if tls:
        # The handshake takes place in the connection's own thread, at its first read.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    # Connections that a client keeps open would delay the end of the test.
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
