# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small stand-in for the places that give tokens for Azure, on a loopback port. It is not Azure.

It answers a service principal, an OIDC token and a managed identity the way azure-identity asks, over TLS with a
certificate of its own, and refuses a wrong secret in the words of the real service.
"""

from __future__ import annotations

import datetime
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

TENANT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
CLIENT = "99999999-8888-7777-6666-555555555555"
SECRET = "the-application's-secret"
OIDC_TOKEN = "header.the-oidc-token.signature"
REFUSAL = (
    "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value,"
    f" not the client secret ID, for a secret added to app '{CLIENT}'. Trace ID: 0 Correlation ID: 0"
)


def make_certificate(path: Path, password: bytes | None = None) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@dataclass
class LoopbackAuthority:
    """The server; `asked` holds the form or the query of each request for a token."""

    folder: Path
    token: str
    tls: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> LoopbackAuthority:
        handler = type("Handler", (_Handler,), {"authority": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.certificate = self.folder / "authority.pem"
        if self.tls:
            make_certificate(self.certificate)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    authority: LoopbackAuthority

    def log_message(self, *_words: object) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.endswith("/.well-known/openid-configuration"):
            base = f"{self.authority.url}/{TENANT}"
            self._answer(
                200,
                {
                    "issuer": f"{base}/v2.0",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                },
            )
        elif parts.path == "/identity/token":
            self.authority.asked.append({name: values[-1] for name, values in parse_qs(parts.query).items()})
            good = self.headers.get("X-IDENTITY-HEADER") == "identity-header"
            answer = {
                "access_token": self.authority.token,
                "expires_on": "4102444800",
                "resource": "any",
                "token_type": "Bearer",
            }
            self._answer(200 if good else 401, answer if good else {"message": "no such identity"})
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        form = {
            name: values[-1]
            for name, values in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()
        }
        self.authority.asked.append(form)
        assertion = form.get("client_assertion", "")
        # Signed by the key of a certificate, or the very token that the application trusts.
        trusted = assertion == OIDC_TOKEN or (assertion.count(".") == 2 and "the-" not in assertion)
        if form.get("client_secret") == SECRET or trusted:
            self._answer(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": self.authority.token})
        else:
            self._answer(401, {"error": "invalid_client", "error_description": REFUSAL, "error_codes": [7000215]})

    def _answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
