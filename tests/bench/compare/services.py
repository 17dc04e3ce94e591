"""AWS and Amberflo as one TLS server that responds at once, so that what is measured is the function's own time."""

import json
import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final, NamedTuple

import certifi

from amberflo_workflows.operate.loopback import LOOPBACK
from tests.bench.compare.functions import METER_ID, SECRET, SECRET_FIELD, VERSION
from tests.bench.events import METER
from tests.certificates import build_certificate
from tests.http_server import serving

_METER: Final = {
    "id": METER_ID,
    "label": "API calls",
    "meterApiName": METER,
    "meterType": "sum_of_all_usage",
    "aggregation": "sum",
    "dimensions": ["region", "model"],
    "aggregationDimensions": [],
    "lockingStatus": "open",
    "createTime": 1_795_514_400_000,
    "updateTime": 1_795_514_400_000,
}
_EXECUTION: Final = {
    "executionArn": "arn:aws:states:us-east-1:000000000000:express:any:execution:1",
    "status": "SUCCEEDED",
    "startDate": 1_795_514_400.0,
    "stopDate": 1_795_514_400.1,
    "output": json.dumps({"statusCode": 200, "body": {"data": _METER}}),
}
_SECRET_VALUE: Final = {
    "ARN": f"arn:aws:secretsmanager:us-east-1:000000000000:secret:{SECRET}",
    "Name": SECRET,
    "VersionId": VERSION,
    "SecretString": json.dumps({SECRET_FIELD: "00000000-0000-4000-8000-000000000000"}),
}
# Of Amberflo with many meters and customers, whose URL has the path LARGE.
LARGE: Final = "/large"
_MANY: Final = 10_000
_MANY_METERS: Final = [
    _METER,
    *(_METER | {"id": f"id-{number}", "meterApiName": f"meter-{number:06}"} for number in range(_MANY)),
]
_MANY_GROUPS: Final = [
    {"group": {"groupInfo": {"customerId": f"customer-{number}"}}, "groupValue": number} for number in range(_MANY)
]
_RESPONSES: Final = {
    "AWSStepFunctions.StartSyncExecution": _EXECUTION,
    "secretsmanager.GetSecretValue": _SECRET_VALUE,
    f"GET /meters/{METER_ID}": _METER,
    "GET /meters": [_METER],
    f"GET /meters?meterApiName={METER}": [_METER],
    "POST /ingest": "1 records were ingested",
    f"GET {LARGE}/meters": _MANY_METERS,
    f"POST {LARGE}/ingest": "300 records were ingested",
    f"POST {LARGE}/usage": {"clientMeters": _MANY_GROUPS},
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Header and body in one packet, and without a wait for more of them.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._respond()

    def handle_expect_100(self) -> bool:
        accepted = super().handle_expect_100()
        self.wfile.flush()
        return accepted

    def do_PUT(self) -> None:
        """Store an object in S3."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._respond()

    def _respond(self) -> None:
        call = self.headers.get("X-Amz-Target", f"{self.command} {self.path}")
        response = _RESPONSES.get(call)
        body = response.encode() if isinstance(response, str) else json.dumps(response).encode()
        self.send_response(200 if call in _RESPONSES else 404)
        self.send_header("Content-Type", "text/plain" if isinstance(response, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        return


class Services(NamedTuple):
    """The server at ``url``, the variables with which a function calls it, and the folder of its ``certifi``."""

    url: str
    environment: dict[str, str]
    packages: Path


@contextmanager
def running_services(folder: Path) -> Iterator[Services]:
    """Serve on a free port until the end of the ``with`` block, with a certificate that clients trust.

    They trust the usual authorities as well: reading all of them is most of the time of a TLS context.
    """
    certificate, key = build_certificate(LOOPBACK)
    pair = folder / "server.pem"
    pair.write_bytes(certificate + key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair)
    authorities = _copy_certifi(folder / "packages", certificate)
    variables = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    with serving(_Handler, tls) as url:
        environment = {"AWS_ENDPOINT_URL": url, **dict.fromkeys(variables, str(authorities))}
        yield Services(url, environment, folder / "packages")


def _copy_certifi(packages: Path, certificate: bytes) -> Path:
    """Copy ``certifi``, add a certificate to its file, and return the file: our HTTP client reads no variables."""
    source = Path(certifi.__file__).parent
    copy = Path(shutil.copytree(source, packages / "certifi", ignore=shutil.ignore_patterns("__pycache__")))
    authorities = copy / "cacert.pem"
    with authorities.open("ab") as file:
        file.write(b"\n" + certificate)
    return authorities
