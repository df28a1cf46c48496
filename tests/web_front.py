"""What stands in front of a web archive in a hospital: nginx, with its certificates, and logins."""

import base64
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from hilum_lab.network.processes import Child, Service, available_port
from tests.answering import answering
from tests.archives import Orthanc
from tests.synthetic import wait_for_port

USER, PASSWORD = "hilum", "open sesame"  # of the Orthanc behind it
TOKEN = "a-token-that-is-good"
WITH_LOGIN = {"AuthenticationEnabled": True, "RegisteredUsers": {USER: PASSWORD}}
LARGEST_BODY = 20_000  # bytes, below /small/


class Certificates:
    """A certificate authority of its own, with certificates for a server and a client."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self.ca = folder / "ca.pem"
        ca_key = folder / "ca.key"
        _openssl("req", "-x509", *_new("authority", ca_key), "-out", self.ca)
        self.server, self.server_key = self._signed("server", "IP:127.0.0.1", ca_key)
        self.client, self.client_key = self._signed("client", "DNS:hilum", ca_key)
        self.expired = folder / "expired.pem"  # of the key of the server
        request, name = folder / "expired.request", ("-addext", "subjectAltName=IP:127.0.0.1")
        _openssl("req", "-new", "-key", self.server_key, "-subj", "/CN=x", *name, "-out", request)
        signer = ("-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "-1")
        copied = ("-copy_extensions", "copy")
        _openssl("x509", "-req", "-in", request, *signer, *copied, "-out", self.expired)
        self.wrong_name, self.wrong_name_key = self._signed("wrong", "DNS:other", ca_key)

    def _signed(self, name: str, who: str, ca_key: Path) -> tuple[Path, Path]:
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        signer = ("-CA", self.ca, "-CAkey", ca_key, "-addext", f"subjectAltName={who}")
        _openssl("req", "-x509", *_new(name, key), *signer, "-out", certificate)
        return certificate, key


def _new(name: str, key: Path) -> tuple[object, ...]:
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    return (*kind, "-subj", f"/CN={name}", "-days", "2", "-keyout", key)


def _openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


class Nginx(Service):
    """An nginx in front of an Orthanc that wants `WITH_LOGIN`; it needs no rights.

    The paths below its addresses are: `/pacs/`, which passes everything on; `/token/`, which wants
    the Bearer token; `/small/`, with a small limit for a body; `/moved/` and `/for-ever/`, which
    redirect to `/pacs/` (308, 301); `/elsewhere/` and `/down/`, to another host and to http;
    `/round/`, to itself; `/store/`, which takes no GET; `/busy/`, which is; `/page/`, which answers
    everything with a web page.
    """

    def __init__(self, folder: Path, orthanc: Orthanc) -> None:
        self.folder = folder
        self.orthanc = orthanc
        self.certificates = Certificates(folder / "certificates")
        self.port, self.tls_port, self.mutual_port, self.wrong_port, self.expired_port = (
            available_port() for _ in range(5)
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def https(self) -> str:
        return f"https://127.0.0.1:{self.tls_port}"

    @property
    def mutual(self) -> str:
        """Where only those are let in that have a certificate."""
        return f"https://127.0.0.1:{self.mutual_port}"

    @property
    def wrong(self) -> str:
        """Where the certificate is for another name."""
        return f"https://127.0.0.1:{self.wrong_port}"

    @property
    def expired(self) -> str:
        """Where the certificate has expired."""
        return f"https://127.0.0.1:{self.expired_port}"

    def start(self) -> Self:
        file = self.folder / "nginx.conf"
        file.write_text(self._configuration())
        command = ["nginx", "-p", f"{self.folder}/", "-e", "stderr", "-c", file]
        self._child = Child("nginx", command, self.folder / "nginx.log")
        ports = (self.port, self.tls_port, self.mutual_port, self.wrong_port, self.expired_port)
        for port in ports:
            wait_for_port(port)
        return self

    def _configuration(self) -> str:
        files = self.certificates
        ours = f"ssl_certificate {files.server}; ssl_certificate_key {files.server_key};"
        asks = f"{ours} ssl_verify_client on; ssl_client_certificate {files.ca};"
        wrong = f"ssl_certificate {files.wrong_name}; ssl_certificate_key {files.wrong_name_key};"
        expired = f"ssl_certificate {files.expired}; ssl_certificate_key {files.server_key};"
        temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        servers = (
            (f"{self.port}", ""),
            (f"{self.tls_port} ssl", ours),
            (f"{self.mutual_port} ssl", asks),
            (f"{self.wrong_port} ssl", wrong),
            (f"{self.expired_port} ssl", expired),
        )
        lines = [
            "daemon off; master_process off; pid nginx.pid; error_log stderr;",
            "events {}",
            "http { access_log off; client_max_body_size 64m;",
            *(f"{name}_temp_path {name};" for name in temporary),
            *(f"server {{ listen 127.0.0.1:{p}; {more} {self._places()} }}" for p, more in servers),
            "}",
        ]
        return "\n".join(lines)

    def _places(self) -> str:
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        behind = f"proxy_pass {self.orthanc.url}/;"
        known = f'proxy_set_header Authorization "Basic {login}"; {behind}'
        http = f"http://127.0.0.1:{self.port}"
        return f"""
            location /pacs/ {{ {behind} }}
            location /open/ {{ {known} }}
            location /token/ {{
                if ($http_authorization != "Bearer {TOKEN}") {{ return 401; }}
                {known}
            }}
            location /small/ {{ client_max_body_size {LARGEST_BODY}; {known} }}
            location ~ ^/moved/(.*)$ {{ return 308 /pacs/$1$is_args$args; }}
            location ~ ^/for-ever/(.*)$ {{ return 301 /pacs/$1$is_args$args; }}
            location ~ ^/elsewhere/(.*)$ {{ return 308 http://localhost:{self.port}/pacs/$1; }}
            location ~ ^/down/(.*)$ {{ return 308 {http}/pacs/$1$is_args$args; }}
            location ~ ^/round/(.*)$ {{ return 307 /round/$1; }}
            location ~ ^/login/(.*)$ {{ return 302 /form; }}
            location /store/ {{ if ($request_method = GET) {{ return 405; }} {known} }}
            location /page/ {{ default_type text/html; return 200 "<p>Log in</p>"; }}
            location /busy/ {{ add_header Retry-After 7 always; return 503; }}
        """


@dataclass
class ConnectProxy:
    """A proxy for https (CONNECT, RFC 9110 9.3.6): what it was asked for, and what it refuses."""

    url: str = ""
    is_closed: bool = False
    asked: list[str] = field(default_factory=list)


@contextmanager
def connect_proxy() -> Iterator[ConnectProxy]:
    """A running one."""
    proxy = ConnectProxy()

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            proxy.asked.append(self.path)
            assert "Authorization" not in self.headers
            if proxy.is_closed:
                self.send_error(HTTPStatus.FORBIDDEN)
                return
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host, int(port))) as there:
                self.send_response(HTTPStatus.OK)
                self.end_headers()
                back = threading.Thread(target=_pass_on, args=(there, self.connection))
                back.start()
                _pass_on(self.connection, there)
                back.join()
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
        proxy.url = f"http://{address}"
        yield proxy


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """What comes from one goes to the other, until one of them ends."""
    with suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)


@dataclass
class TokenService:
    """An OAuth2 service for client credentials (RFC 6749 4.4); gives each of `tokens` in turn."""

    url: str = ""
    tokens: list[str] = field(default_factory=lambda: [TOKEN])
    seconds: int = 3600
    status: int = 200
    error: str = ""
    is_endless: bool = False  # the answer
    asked: list[tuple[str, str]] = field(default_factory=list)  # Authorization, form


@contextmanager
def token_service() -> Iterator[TokenService]:
    """A running one."""
    service = TokenService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            service.asked.append((str(self.headers["Authorization"]), form))
            token = service.tokens.pop(0) if len(service.tokens) > 1 else service.tokens[0]
            told = {"access_token": token, "token_type": "Bearer", "expires_in": service.seconds}
            content = json.dumps({"error": service.error} if service.error else told).encode()
            self.send_response(service.status)
            if not service.is_endless:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            with suppress(OSError):  # nobody waits for more
                while service.is_endless:
                    self.wfile.write(b" ")
                    time.sleep(0.05)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
        service.url = f"http://{address}/token"
        yield service
