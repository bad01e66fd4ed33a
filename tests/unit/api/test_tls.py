"""TLS: untrusted certificates, bundles of CA certificates, client certificates."""

from __future__ import annotations

import datetime
import inspect
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_airbyte_ext.exceptions import AirbyteApiError, AirbyteConfigurationError, AirbyteUnreachableError
from airflow_airbyte_ext.testing import Fault

_USAGES = [name for name in inspect.signature(x509.KeyUsage).parameters if name != "self"]


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A certificate authority of its own for one test run."""

    def __init__(self, folder) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(self._key, "test authority", is_authority=True)
        self.bundle = self._write("ca.pem", self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[str, str]:
        """Paths of a certificate for this machine and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(key, name).public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._write(f"{name}-both.pem", certificate + private)
        return self._write(f"{name}.pem", certificate), self._write(f"{name}.key", private)

    def _sign(self, key, name: str, *, is_authority: bool = False) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        usage = dict.fromkeys(_USAGES, False) | {"digital_signature": True, "key_cert_sign": is_authority}
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name("test authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            # Python 3.13 refuses a certificate that does not say which key has signed it, or an authority that may not.
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, name: str, content: bytes) -> str:
        path = self._folder / name
        path.write_bytes(content)
        return str(path)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure(start_fake, authority):
    certificate, key = authority.issue("server")
    return start_fake(certfile=certificate, keyfile=key)


def test_a_certificate_that_nobody_vouches_for_is_refused(secure, connect):
    """Nothing was sent, and the error names the setting that helps."""
    with pytest.raises(AirbyteUnreachableError, match="verify") as caught:
        connect(secure).get_health_check()
    assert caught.value.was_sent is False
    assert secure.journal == []


def test_verify_off_trusts_any_certificate(secure, connect, monkeypatch):
    """Even where the environment names a bundle for all."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ssl.get_default_verify_paths().openssl_cafile)
    with pytest.warns(Warning, match="Unverified HTTPS"):
        assert connect(secure, verify=False).get_health_check().available


def test_a_bundle_of_ca_certificates_is_used(secure, connect, authority, monkeypatch):
    """The setting wins over the environment."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent.pem")
    assert connect(secure, verify=authority.bundle).get_health_check().available


@pytest.mark.parametrize("content", [None, b"", b"this is no certificate"])
def test_a_bundle_that_cannot_be_read_is_an_error_that_names_it(secure, connect, tmp_path, content):
    """A wrong path in `verify` says so, and is an error of ours."""
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((AirbyteConfigurationError, AirbyteUnreachableError), match="verify") as caught:
        connect(secure, verify=str(path)).get_health_check()
    assert "bundle.pem" in str(caught.value)


def test_a_client_certificate_that_is_not_there_is_an_error_that_names_it(secure, connect, authority):
    """A wrong path in `client_cert` says so, and is an error of ours."""
    with pytest.raises((AirbyteConfigurationError, AirbyteUnreachableError), match="client_cert"):
        connect(secure, verify=authority.bundle, client_cert="/nonexistent/cert.pem").get_health_check()


class _Response(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"available": true}')

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def strict_server(authority):
    """A server that wants to see a client's certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.bundle)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(*authority.issue("strict"))
    server = HTTPServer(("127.0.0.1", 0), _Response)
    server.handle_error = lambda *_: None
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("form", ["one file", "two files"])
def test_a_client_certificate_is_shown(strict_server, connect_to, authority, form):
    """As one PEM file with both, or as two paths."""
    certificate, key = authority.issue("client")
    shown = (certificate, key) if form == "two files" else certificate.replace(".pem", "-both.pem")
    client = connect_to(strict_server, verify=authority.bundle, client_cert=shown)
    assert client.get_health_check().available


def test_a_server_that_wants_a_client_certificate_refuses_others(strict_server, connect_to, authority):
    """Our certificate is the problem here, not the server's."""
    with pytest.raises(AirbyteUnreachableError):
        connect_to(strict_server, verify=authority.bundle, attempts=1).get_health_check()


@pytest.mark.parametrize("fault", [Fault.drop_after(), Fault.truncated()])
def test_a_sync_whose_answer_is_lost_within_tls_is_sent_once(secure, connect, authority, fault):
    """A broken TLS connection is not an untrusted certificate: the sync may have taken effect."""
    connection_id = secure.add_connection()
    client = connect(secure, verify=authority.bundle)
    client.get_health_check()
    secure.fail_next("syncConnection", fault)
    with pytest.raises(AirbyteApiError):
        client.sync_connection(connection_id=connection_id)
    assert len(secure.calls("syncConnection")) == 1
