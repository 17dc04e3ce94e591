"""Certificates for servers of the tests, each its own authority."""

import datetime
from ipaddress import ip_address
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificate(NamedTuple):
    """A self-signed certificate and its private key, each in PEM."""

    certificate: bytes
    key: bytes


def build_certificate(host: str, days: int = 30) -> Certificate:
    """Build a certificate for an IP address that was valid for 30 days and will be for ``days`` more."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Amberflo, for the tests")])
    hosts = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=30)).not_valid_after(
        now + datetime.timedelta(days=days)
    )
    certificate = builder.add_extension(hosts, critical=False).sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain),
    )
