import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from tests.certificates import build_certificate
from tests.tasks.caches import clear_caches
from tests.tasks.hostile import build_response, run_hostile_server

KEY = "key-that-must-not-leak"
MakeContext = Callable[..., ssl.SSLContext]


@pytest.fixture
def make_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeContext:
    """Make a TLS context whose certificate the client trusts, so that only the tested fault can be the reason."""

    def make(*, host: str = "127.0.0.1", days: int = 30, trusted_by: str | None = "AWS_CA_BUNDLE") -> ssl.SSLContext:
        certificate, key = build_certificate(host, days)
        certificate_file, key_file = tmp_path / "certificate.pem", tmp_path / "key.pem"
        certificate_file.write_bytes(certificate)
        key_file.write_bytes(key)
        if trusted_by:
            monkeypatch.setenv(trusted_by, str(certificate_file))
            clear_caches()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate_file, key_file)
        return context

    return make


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_trusted_certificate_is_accepted(make_context: MakeContext, variable: str) -> None:
    with run_hostile_server(make_context(trusted_by=variable)) as amberflo:
        amberflo.script = [build_response(b"[]")]
        assert AmberfloClient(KEY, amberflo.url, amberflo.url, 6).call("GET", "/meters") == []


@pytest.mark.parametrize(
    "fault", [{"trusted_by": None}, {"host": "127.0.0.2"}, {"days": -1}], ids=["untrusted", "other host", "expired"]
)
def test_an_invalid_certificate_is_unavailability_and_the_key_is_not_sent(
    make_context: MakeContext, fault: dict[str, object]
) -> None:
    with run_hostile_server(make_context(**fault)) as amberflo:
        amberflo.script = [build_response(b"[]")]
        with pytest.raises(AmberfloUnavailable, match="SSLCertVerificationError") as error_info:
            AmberfloClient(KEY, amberflo.url, amberflo.url, 6).call("GET", "/meters")
        assert (amberflo.connections, amberflo.requests) == (1, [])
    assert KEY not in str(error_info.value)


def test_a_handshake_without_a_response_times_out() -> None:
    with run_hostile_server() as amberflo:
        url = amberflo.url.replace("http:", "https:")
        with pytest.raises(AmberfloUnavailable, match="TimeoutError"):
            AmberfloClient(KEY, url, url, 1.4).call("GET", "/meters")
        assert (amberflo.connections, amberflo.requests) == (1, [])
