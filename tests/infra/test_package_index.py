"""The bundle's packages come from the indexes that are configured for uv or for pip."""

import base64
import hashlib
import io
import os
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra import bundle as bundle_module
from amberflo_workflows.infra import package_index
from amberflo_workflows.infra.bundle import BundleFailed, _install
from amberflo_workflows.infra.package_index import build_uv_environment
from amberflo_workflows.infra.settings import Runtime
from amberflo_workflows.operate.loopback import LOOPBACK
from tests.http_server import serving

# A package that no public index has, so that it can come from nowhere else.
NAME = "amberflo-workflows-test-of-indexes"
STEM = f"{NAME.replace('-', '_')}-1.0"
WHEEL = f"{STEM}-py3-none-any.whl"
METADATA = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n"


def _build_wheel() -> bytes:
    files = {
        "tiny_package.py": b"",
        f"{STEM}.dist-info/METADATA": METADATA.encode(),
        f"{STEM}.dist-info/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-any\n",
    }
    record = f"{STEM}.dist-info/RECORD"
    lines = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
        for name, data in files.items()
    ]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in {**files, record: "\n".join([*lines, f"{record},,\n"]).encode()}.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@dataclass
class Index:
    """A package index: at ``url`` with the package, at ``empty_url`` without; ``downloads`` are the wheels served."""

    wheel: bytes
    root: str
    downloads: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.root}/simple/"

    @property
    def empty_url(self) -> str:
        return f"{self.root}/empty/"

    def render(self, path: str) -> tuple[int, str, bytes]:
        """Return the status, the content type and the body of the response to a path."""
        if path == f"/simple/{NAME}/":
            return 200, "text/html", f'<a href="/wheels/{WHEEL}">{WHEEL}</a>'.encode()
        if path == f"/wheels/{WHEEL}":
            self.downloads.append(path)
            return 200, "application/octet-stream", self.wheel
        return 404, "text/plain", b""


@pytest.fixture
def index() -> Iterator[Index]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content_type, body = served.render(self.path)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name that the base class calls

        def log_message(self, *arguments: Any) -> None:
            """Write no log."""

    with serving(Handler) as root:
        served = Index(_build_wheel(), root)
        yield served


@pytest.fixture
def project(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the lock has the one package, on a machine without any settings."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_", "XDG_"))]:
        monkeypatch.delenv(name)
    for name, folder in {"HOME": "home", "UV_CACHE_DIR": "uv-cache", "XDG_CONFIG_DIRS": "etc"}.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    # No other index can be reached.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:9")
    monkeypatch.setenv("NO_PROXY", LOOPBACK)
    lock = tmp_path / "lock.txt"
    lock.write_text(f"{NAME}==1.0 --hash=sha256:{hashlib.sha256(index.wheel).hexdigest()}\n")
    monkeypatch.setattr(bundle_module, "LOCK", lock)
    monkeypatch.setattr(package_index, "_ETC", tmp_path / "etc")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    return tmp_path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


VARIABLES = [
    {"PIP_INDEX_URL": "{url}"},
    {"PIP_INDEX_URL": "{empty}", "PIP_EXTRA_INDEX_URL": "{empty} {url}"},
    {"UV_DEFAULT_INDEX": "{url}"},
    {"UV_INDEX_URL": "{url}"},
    {"UV_DEFAULT_INDEX": "{empty}", "UV_INDEX": "{empty} {url}"},
    # The variables of uv count more than those of pip.
    {"UV_DEFAULT_INDEX": "{url}", "PIP_INDEX_URL": "{empty}", "PIP_EXTRA_INDEX_URL": "{empty}"},
]
FILES = [
    {"home/.config/pip/pip.conf": "[global]\nindex-url = {url}\n"},
    {"home/.pip/pip.conf": "[install]\nindex-url = {empty}\nextra-index-url =\n    {empty}\n    {url}\n"},
    {"etc/pip/pip.conf": "[global]\nindex-url = {url}\n"},
    {"etc/pip.conf": "[global]\nindex-url = {url}\n"},
    {"environment/pip.conf": "[global]\nindex-url = {url}\n"},
    {"etc/pip/pip.conf": "[global]\nindex-url = {empty}\n", "home/.pip/pip.conf": "[install]\nindex-url = {url}\n"},
    {"project/uv.toml": 'index-url = "{url}"\n'},
    {"home/.config/uv/uv.toml": '[[index]]\nurl = "{url}"\ndefault = true\n'},
    {"pyproject.toml": '[[tool.uv.index]]\nurl = "{url}"\ndefault = true\n'},
    # The files of uv count more than those of pip.
    {"project/uv.toml": '[pip]\nindex-url = "{url}"\n', "home/.pip/pip.conf": "[global]\nindex-url = {empty}\n"},
]


@pytest.mark.parametrize("variables", VARIABLES, ids="+".join)
def test_the_packages_come_from_the_index_in_variables(
    project: Path, index: Index, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(url=index.url, empty=index.empty_url))
    _install(project / "target", Runtime())
    assert (project / "target" / "tiny_package.py").is_file()
    assert len(index.downloads) == 1


@pytest.mark.parametrize("files", FILES, ids="+".join)
def test_the_packages_come_from_the_index_in_a_file(project: Path, index: Index, files: dict[str, str]) -> None:
    for name, text in files.items():
        _write(project / name, text.replace("{url}", index.url).replace("{empty}", index.empty_url))
    _install(project / "target", Runtime())
    assert (project / "target" / "tiny_package.py").is_file()
    assert len(index.downloads) == 1


def test_a_variable_of_pip_counts_more_than_a_file(
    project: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(project / "project" / "uv.toml", f'index-url = "{index.empty_url}"\n')
    _write(project / "home" / ".pip" / "pip.conf", f"[global]\nindex-url = {index.empty_url}\n")
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    _install(project / "target", Runtime())
    assert len(index.downloads) == 1


def test_a_wheel_with_another_hash_is_rejected_whatever_index_has_it(
    project: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.wheel += b"changed"
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_INDEX_URL", index.empty_url)
    with pytest.raises(BundleFailed, match="could not be installed"):
        _install(project / "target", Runtime())


@pytest.mark.usefixtures("project")
def test_a_connections_settings_are_those_of_pip_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.example.com/simple")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "one.example.com two.example.com")
    monkeypatch.setenv("PIP_CERT", "/etc/ssl/company.pem")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    environment = build_uv_environment()
    assert environment["UV_INSECURE_HOST"] == "one.example.com two.example.com"
    assert environment["SSL_CERT_FILE"] == "/etc/ssl/company.pem"
    assert "UV_FIND_LINKS" not in environment
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    assert build_uv_environment()["UV_FIND_LINKS"] == "/wheels,/more"


@pytest.mark.parametrize("name", ["project/uv.toml", "home/.pip/pip.conf"])
def test_an_invalid_file_is_named(project: Path, name: str) -> None:
    _write(project / name, "[[[ invalid")
    with pytest.raises(BundleFailed, match="settings of pip or uv for package indexes cannot be read"):
        _install(project / "target", Runtime())
