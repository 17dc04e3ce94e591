"""Requests of other web pages: the headers that a browser sends for them, and a real page on another origin."""

import http.server
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser

from amberflo_workflows.console.guard import HEADERS, TOKEN_HEADER
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.loopback import LOOPBACK
from tests.conftest import sandbox_of
from tests.http_server import serving

pytestmark = pytest.mark.emulator

FOREIGN = {
    "another origin": {"Origin": "http://evil.example"},
    "another port": {"Origin": f"http://{LOOPBACK}:1"},
    "an opaque origin": {"Origin": "null"},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "the same site": {"Sec-Fetch-Site": "same-site"},
    "no token": {TOKEN_HEADER: ""},
    "an old token": {TOKEN_HEADER: "of-an-earlier-start"},
    "a token that is not text": {TOKEN_HEADER: "\xff"},
}


@pytest.fixture
def token(console_url: str) -> str:
    """The CSRF token, read from a page of the console."""
    text = requests.get(f"{console_url}executions", timeout=30).text
    return text.split('name="csrf-token" content="')[1].split('"')[0]


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_requests_of_another_page_are_rejected(console_url: str, token: str, headers: dict[str, Any]) -> None:
    own = {"Origin": console_url.rstrip("/"), TOKEN_HEADER: token}
    for method in ("POST", "PUT", "DELETE"):
        response = requests.request(method, f"{console_url}start", headers={**own, **headers}, timeout=30)
        assert (response.status_code, response.text.count("\n")) == (403, 1)


def test_requests_to_other_host_names_are_rejected(console_url: str) -> None:
    port = console_url.rstrip("/").rpartition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", f"{LOOPBACK}.evil.example:{port}", "", f"{LOOPBACK}:1"):
        response = requests.get(f"{console_url}executions", headers={"Host": host}, timeout=30)
        assert response.status_code in {400, 421}, host
        assert "csrf-token" not in response.text
    assert requests.get(f"http://localhost:{port}/executions", timeout=30).status_code == 200


def test_every_response_has_the_security_headers(console_url: str) -> None:
    for path in ("executions", "static/console.css", "packages/htmx.js", "nothing-here", "packages/../app.py"):
        response = requests.get(console_url + path, timeout=30)
        for name, value in HEADERS.items():
            if name != "Cache-Control":
                assert response.headers[name] == value, path
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


@pytest.fixture
def foreign_page(console_url: str) -> Iterator[str]:
    """A page on another origin that tries to use the console."""
    attack = f"""<!doctype html><title>running</title><script>
      const requests = [
        fetch("{console_url}start", {{method: "POST", mode: "no-cors", credentials: "include",
          headers: {{"Content-Type": "application/x-www-form-urlencoded"}}, body: "workflow=create_meter&input={{}}"}}),
        fetch("{console_url}executions").then((response) => response.text())
          .then((text) => {{ document.body.id = text; }}),
      ];
      Promise.allSettled(requests).then((results) => {{
        document.title = results.map((result) => result.status).join(" ");
      }});
      </script><body><iframe src="{console_url}executions"></iframe></body>"""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(attack.encode())

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with serving(Handler) as url:
        yield f"{url}/"


def test_a_page_of_another_origin_cannot_read_or_start_anything(
    system: System, browser: Browser, foreign_page: str
) -> None:
    page = browser.new_context().new_page()
    page.goto(foreign_page)
    page.wait_for_function("document.title !== 'running'")
    # Responses to requests without CORS preflight are blocked as well.
    assert page.title() == "rejected rejected"
    assert page.evaluate("document.body.id") == ""
    assert page.frames[1].url.startswith("chrome-error://")
    assert sandbox_of(system).requests()["total"] == 0
    page.context.close()
