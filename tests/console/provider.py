"""A small provider of OpenID Connect that everybody may sign in at, and that can be made to lie."""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.answering import answering

CLIENT, SECRET = "hilum", "a secret: with % and ü"
Claims = dict[str, Any]


@dataclass
class SmallProvider:
    """`person` signs in; `bend` changes the claims of the ID token, `sign` how it is made."""

    url: str = ""
    person: Claims = field(default_factory=lambda: {"sub": "4711", "preferred_username": "anna"})
    info: Claims | None = None  # what it says apart from the token
    bend: Callable[[Claims], Claims] = lambda claims: claims
    sign: Callable[[Claims, RSAKey], str] = lambda claims, key: jwt.encode(
        {"alg": "RS256", "kid": key.kid}, claims, key
    )
    described: Claims = field(default_factory=dict)  # beside the usual
    asked: list[dict[str, str]] = field(default_factory=list)  # parameters of each authorization
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, auto_kid=True))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def description(self) -> Claims:
        """OpenID Connect Discovery 1.0 3."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            **({"userinfo_endpoint": f"{self.url}/info"} if self.info is not None else {}),
            **self.described,
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """The address that the browser goes back to."""
        self.asked.append(asked)
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.asked)}"
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.url}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def token(self, form: dict[str, str], authorization: str) -> Claims:
        """What a code is good for, once."""
        us, _, secret = (
            base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        )
        assert (unquote(us), unquote(secret)) == (CLIENT, SECRET)
        asked = self.codes.pop(form["code"])
        assert form["redirect_uri"] == asked["redirect_uri"]
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
        now = int(time.time())
        times = {"iat": now, "exp": now + 300}
        claims = {"iss": self.url, "aud": CLIENT, "nonce": asked["nonce"], **times, **self.person}
        return {
            "access_token": "access",
            "token_type": "Bearer",
            "id_token": self.sign(self.bend(claims), self.key),
        }


@contextmanager
def small_provider() -> Iterator[SmallProvider]:
    """A running one."""
    provider = SmallProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorize(dict(parse_qsl(query))))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            answers: dict[str, Any] = {
                "/.well-known/openid-configuration": provider.description(),
                "/keys": KeySet([provider.key]).as_dict(private=False),
                "/info": provider.info,
            }
            self._answer(answers.get(path))

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            fields = {name: values[0] for name, values in parse_qs(form).items()}
            try:
                self._answer(provider.token(fields, self.headers["Authorization"]))
            except (AssertionError, KeyError):
                self._answer({"error": "invalid_grant"}, 400)

        def _answer(self, value: object, status: int = 200) -> None:
            content = json.dumps(value).encode()
            self.send_response(status if value is not None else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
        provider.url = f"http://{address}"
        yield provider


def parameters_of(address: str) -> dict[str, str]:
    """Those of an address."""
    return dict(parse_qsl(urlsplit(address).query))
