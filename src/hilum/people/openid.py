"""Sign-in at a provider of OpenID Connect: authorization code with PKCE, state and nonce.

(OpenID Connect Core 1.0 3.1, RFC 7636, RFC 9207.) Somebody is known by issuer and subject; the name
is only what people read. Whoever has no role by the settings does not get in.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from hilum.config.console import OpenId
from hilum.config.logins import is_open
from hilum.errors import HilumError
from hilum.people.keys import kept
from hilum.people.roles import UserRole
from hilum.transport.tls import client_context

DESCRIPTION = "/.well-known/openid-configuration"
SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
SECONDS = 10.0  # longest wait for one answer
LEEWAY = 60  # seconds that the clocks may differ
LONGEST_NAME = 64

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Way:
    """One way to the provider and back, of one browser: all that follows from its random key.

    The key stays between that browser and us; what others see are hashes of it.
    """

    key: str
    back: str  # address of ours that the provider leads back to

    @property
    def state(self) -> str:
        """Comes back with the browser: it is the one that left."""
        return kept(self.key, "state")

    @property
    def nonce(self) -> str:
        """Comes back in the ID token: it was made for this way."""
        return kept(self.key, "nonce")

    @property
    def verifier(self) -> str:
        """Shows the provider that who has the code is who has asked for it."""
        return kept(self.key, "verifier")


@dataclass(frozen=True)
class Identified:
    """Whom the provider knows; `role` is None if the settings give them none."""

    name: str
    identity: str
    role: UserRole | None


class Provider:
    """The provider of `settings`. Each call asks it anew, so that changed keys count at once."""

    def __init__(self, settings: OpenId) -> None:
        self._settings = settings

    def address(self, way: Way) -> str:
        """Where the browser goes to sign in.

        Raises
        ------
        HilumError
            The provider does not answer, or not as the standard wants.
        """
        with self._client() as client:
            found = self._description(client)
        address: str = prepare_grant_uri(
            _endpoint(found, "authorization_endpoint"),
            self._settings.client_id,
            "code",
            redirect_uri=way.back,
            scope=self._settings.scope,
            state=way.state,
            nonce=way.nonce,
            code_challenge=create_s256_code_challenge(way.verifier),
            code_challenge_method="S256",
        )
        return address

    def identified(self, way: Way, answer: Mapping[str, str]) -> Identified:
        """Who has come back with the parameters `answer` of the address; errors as above."""
        if not way.key or answer.get("state") != way.state:
            raise HilumError("this way to sign in was begun elsewhere, or too long ago; begin anew")
        if "code" not in answer:
            raise HilumError("the provider did not sign you in")
        with self._client() as client:
            found = self._description(client)
            if answer.get("iss", found["issuer"]) != found["issuer"]:
                raise HilumError("another provider has answered")
            tokens = self._tokens(client, found, way, answer["code"])
            claims = self._claims(client, found, way, tokens)
            if not any(_values(claims, self._settings.role_claim)):
                claims = {**self._user_info(client, found, tokens, claims["sub"]), **claims}
        return self._found(found["issuer"], claims)

    def _found(self, issuer: str, claims: Mapping[str, Any]) -> Identified:
        values = set(_values(claims, self._settings.role_claim))
        roles = [UserRole(role) for value, role in self._settings.roles.items() if value in values]
        named = (str(claims.get(claim, "")) for claim in ("preferred_username", "email", "name"))
        name = next(filter(None, named), str(claims["sub"]))
        shown = "".join(letter for letter in name if letter.isprintable())[:LONGEST_NAME]
        identity = f"openid {issuer} {claims['sub']}"
        return Identified(shown, identity, roles[0] if roles else None)

    def _client(self) -> httpx.Client:
        return httpx.Client(verify=client_context(self._settings.tls), timeout=SECONDS)

    def _description(self, client: httpx.Client) -> dict[str, Any]:
        found = _json(client.build_request("GET", self._settings.issuer + DESCRIPTION), client)
        if str(found.get("issuer", "")).rstrip("/") != self._settings.issuer:
            raise _wrong("it calls itself by another name than console.openid.issuer")
        return found

    def _tokens(
        self, client: httpx.Client, found: Mapping[str, Any], way: Way, code: str
    ) -> dict[str, Any]:
        us, secret = self._settings.client_id, self._settings.secret()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": way.back,
            "code_verifier": way.verifier,
        }
        methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if "client_secret_basic" in methods:
            auth = httpx.BasicAuth(quote(us, safe=""), quote(secret, safe=""))  # RFC 6749 2.3.1
        else:
            auth, form = None, {**form, "client_id": us, "client_secret": secret}
        address = _endpoint(found, "token_endpoint")
        return _json(client.build_request("POST", address, data=form), client, auth)

    def _claims(
        self,
        client: httpx.Client,
        found: Mapping[str, Any],
        way: Way,
        tokens: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Those of the ID token, once it has proven to be for us, now and here (3.1.3.7)."""
        us = self._settings.client_id
        keys: Any = _json(client.build_request("GET", _endpoint(found, "jwks_uri")), client)
        options: Any = {
            "iss": {"essential": True, "value": found["issuer"]},
            "aud": {"essential": True, "value": us},
        }
        params = {
            "nonce": way.nonce,
            "client_id": us,
            "access_token": tokens.get("access_token", ""),
        }
        try:
            read = jwt.decode(
                str(tokens.get("id_token", "")), KeySet.import_key_set(keys), SIGNED_BY
            )
            claims = CodeIDToken(read.claims, read.header, options, params)
            claims.validate(leeway=LEEWAY)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            which = getattr(error, "claim", "")  # its name; the value may be anything
            what = f"its ID token does not hold: {type(error).__name__} {which}".rstrip()
            raise _wrong(what) from error
        return dict(claims)

    def _user_info(
        self,
        client: httpx.Client,
        found: Mapping[str, Any],
        tokens: Mapping[str, Any],
        subject: str,
    ) -> dict[str, Any]:
        """What the provider says apart from the token (5.3), if it is about the same person."""
        if "userinfo_endpoint" not in found:
            return {}
        headers = {"Authorization": f"Bearer {tokens.get('access_token', '')}"}
        address = _endpoint(found, "userinfo_endpoint")
        said = _json(client.build_request("GET", address, headers=headers), client)
        if said.get("sub") != subject:
            raise _wrong("its ID token and its user info are about different persons")
        return said


def _endpoint(found: Mapping[str, Any], name: str) -> str:
    address = str(found.get(name, ""))
    if not address or is_open(address):
        raise _wrong(f"its {name} is not given, or not https")
    return address


def _json(
    request: httpx.Request, client: httpx.Client, auth: httpx.Auth | None = None
) -> dict[str, Any]:
    try:
        answer = client.send(request, auth=auth)
        answer.raise_for_status()
        read = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise _wrong(f"{request.url.path}: {type(error).__name__}") from error
    if not isinstance(read, dict):
        raise _wrong(f"{request.url.path} holds no object")
    return read


def _values(claims: Mapping[str, Any], name: str) -> Iterator[str]:
    """The values of a claim: one, a list, or below others as in `realm_access.roles`."""
    found: Any = claims
    for part in [name] if name in claims else name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    for value in found if isinstance(found, list) else [found]:
        if isinstance(value, str):
            yield value


def _wrong(what: str) -> HilumError:
    """What people are told, and what the log says beside."""
    log.error("OpenID Connect: %s", what)
    return HilumError("the provider does not answer as it should; Hilum's log says more")
