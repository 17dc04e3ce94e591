"""Foreign web pages: what a browser would send for them, and a real one on another origin."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser

from amberflo_workflows.console.guard import HEADERS, TOKEN_HEADER
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.loopback import LOOPBACK
from tests.conftest import sandbox_of

pytestmark = pytest.mark.emulator

FOREIGN = {
    "another origin": {"Origin": "http://evil.example"},
    "another port": {"Origin": f"http://{LOOPBACK}:1"},
    "an opaque origin": {"Origin": "null"},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a sister site": {"Sec-Fetch-Site": "same-site"},
    "no token": {TOKEN_HEADER: ""},
    "an old token": {TOKEN_HEADER: "of-an-earlier-start"},
    "a token that is no text": {TOKEN_HEADER: "\xff"},
}


@pytest.fixture
def token(console_url: str) -> str:
    """What a page of the console's own can read."""
    text = requests.get(f"{console_url}executions", timeout=30).text
    return text.split('name="csrf-token" content="')[1].split('"')[0]


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_a_foreign_page_can_send_changes_nothing(console_url: str, token: str, headers: dict[str, Any]) -> None:
    own = {"Origin": console_url.rstrip("/"), TOKEN_HEADER: token}
    for method in ("POST", "PUT", "DELETE"):
        answer = requests.request(method, f"{console_url}start", headers={**own, **headers}, timeout=30)
        assert (answer.status_code, answer.text.count("\n")) == (403, 1)


def test_the_console_answers_to_its_own_names_only(console_url: str) -> None:
    port = console_url.rstrip("/").rpartition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", f"{LOOPBACK}.evil.example:{port}", "", f"{LOOPBACK}:1"):
        answer = requests.get(f"{console_url}executions", headers={"Host": host}, timeout=30)
        assert answer.status_code in {400, 421}, host
        assert "csrf-token" not in answer.text
    assert requests.get(f"http://localhost:{port}/executions", timeout=30).status_code == 200


def test_every_answer_forbids_what_it_does_not_need(console_url: str) -> None:
    for path in ("executions", "static/console.css", "packages/htmx.js", "nothing-here", "packages/../app.py"):
        answer = requests.get(console_url + path, timeout=30)
        for name, value in HEADERS.items():
            if name != "Cache-Control":
                assert answer.headers[name] == value, path
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.fixture
def foreign_page(console_url: str) -> Iterator[str]:
    """A page on another origin that does all that it can to reach the console."""
    attack = f"""<!doctype html><title>begun</title><script>
      const tries = [
        fetch("{console_url}start", {{method: "POST", mode: "no-cors", credentials: "include",
          headers: {{"Content-Type": "application/x-www-form-urlencoded"}}, body: "workflow=create_meter&input={{}}"}}),
        fetch("{console_url}executions").then((answer) => answer.text()).then((text) => {{ document.body.id = text; }}),
      ];
      Promise.allSettled(tries).then((done) => {{ document.title = done.map((one) => one.status).join(" "); }});
      </script><body><iframe src="{console_url}executions"></iframe></body>"""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(attack.encode())

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{LOOPBACK}:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_page_of_another_origin_reads_nothing_and_starts_nothing(
    system: System, browser: Browser, foreign_page: str
) -> None:
    page = browser.new_context().new_page()
    page.goto(foreign_page)
    page.wait_for_function("document.title !== 'begun'")
    # The answer to what was sent without asking is kept from it as well.
    assert page.title() == "rejected rejected"
    assert page.evaluate("document.body.id") == ""
    assert page.frames[1].url.startswith("chrome-error://")
    assert sandbox_of(system).requests()["total"] == 0
    page.context.close()
