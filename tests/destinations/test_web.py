"""DICOMweb as hospitals have it: behind nginx, with logins, certificates, limits and redirects."""

import base64
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hilum.answers import Acceptance, Answer, Checked
from hilum.config import parse
from hilum.destinations import Destination, open_destination
from hilum.destinations.dicomweb import DicomwebDestinationSettings
from hilum.errors import ConfigurationError, DeliveryDelayed, DeliveryRefused
from hilum.results import Result
from hilum.testing import check_destination, results_of
from hilum_lab.network.processes import available_port
from tests.archives import Orthanc
from tests.synthetic import write_series
from tests.web_front import (
    LARGEST_BODY,
    PASSWORD,
    TOKEN,
    USER,
    WITH_LOGIN,
    Nginx,
    TokenService,
    connect_proxy,
    token_service,
)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("web")
    with (
        Orthanc(folder / "orthanc", settings=WITH_LOGIN) as orthanc,
        Nginx(folder, orthanc) as running,
    ):
        yield running


@pytest.fixture
def tokens() -> Iterator[TokenService]:
    with token_service() as running:
        yield running


def secret(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{text}\n")
    file.chmod(0o600)
    return file


def basic(tmp_path: Path) -> dict[str, Any]:
    return {"username": USER, "password_file": secret(tmp_path, PASSWORD)}


def oauth2(tmp_path: Path, tokens: TokenService) -> dict[str, Any]:
    account = {"token_url": tokens.url, "client_id": "hilum:1", "scope": "dicom"}
    return {"oauth2": {**account, "secret_file": secret(tmp_path, "s/e c")}}


def web(url: str, **values: Any) -> Destination:
    settings = DicomwebDestinationSettings(name="web", url=f"{url}/dicom-web", **values)
    settings.check()
    return open_destination(settings)


def scan(tmp_path: Path, count: int = 2) -> list[Result]:
    return results_of(write_series(tmp_path / "scan", count, size=8))


# What works ---------------------------------------------------------------------------------------


def of_way(way: str, nginx: Nginx, tokens: TokenService, tmp_path: Path) -> Destination:
    files = nginx.certificates
    trusts = {"tls": {"ca_file": files.ca}}
    ours = {"certificate_file": files.client, "key_file": files.client_key}
    log_in, token = basic(tmp_path), {"token_file": tmp_path / "secret"}
    if way == "by a proxy":
        return web("http://127.0.0.1:9/pacs", proxy=nginx.url, **log_in)
    values: dict[str, tuple[str, dict[str, Any]]] = {
        "below a prefix": (f"{nginx.url}/pacs", log_in),
        "by https": (f"{nginx.https}/pacs", {**log_in, **trusts}),
        "with our certificate": (f"{nginx.mutual}/open", {"tls": {**trusts["tls"], **ours}}),
        "moved (308)": (f"{nginx.https}/moved", {**log_in, **trusts}),
        "moved (301)": (f"{nginx.url}/for-ever", log_in),
        "queried elsewhere": (
            f"{nginx.url}/store",
            {"query_url": f"{nginx.url}/open/dicom-web/studies"},
        ),
    }
    if way in values:
        url, settings = values[way]
        return web(url, **settings)
    if way == "with a token":
        secret(tmp_path, TOKEN)
        return web(f"{nginx.https}/token", **token, **trusts)
    return web(f"{nginx.https}/token", **oauth2(tmp_path, tokens), **trusts)


WAYS = [
    "below a prefix",
    "by a proxy",
    "by https",
    "with our certificate",
    "moved (308)",
    "moved (301)",
    "queried elsewhere",
    "with a token",
    "with OAuth2",
]


@pytest.mark.parametrize("way", WAYS)
def test_the_contract(way: str, nginx: Nginx, tokens: TokenService, tmp_path: Path) -> None:
    check_destination(of_way(way, nginx, tokens, tmp_path), scan(tmp_path))
    assert len(tokens.asked) == (way == "with OAuth2"), "one token serves all requests"


# What is refused, with its cure -------------------------------------------------------------------


def checks(destination: Destination) -> dict[str, Checked]:
    return {one.what: one for one in destination.check()}


@pytest.mark.parametrize(
    ("place", "cure"),
    [
        ("{0.url}/pacs", "HTTP 401: the login is wrong: correct username, password_file"),
        ("{0.url}/nothing", "HTTP 404: there is no such service at that address: correct url"),
        ("{0.url}/busy", "HTTP 503, and asks us to wait 7 s"),
        ("{0.url}/round", "redirects again and again: correct url"),
        ("{0.url}/page", "it answers with a web page, so nothing shows that it stores"),
        ("{0.url}/login", "HTTP 302: it redirects to http://127.0.0.1:{0.port}/form:"),
        ("{0.https}/open", "name who signed it as ca_file in tls"),
        ("https://127.0.0.1:{0.port}/open", "it speaks plain http at that port"),
        ("http://127.0.0.1:{0.tls_port}/open", "write https instead of http in url"),
    ],
)
def test_a_trial_says_what_is_wrong(nginx: Nginx, place: str, cure: str) -> None:
    tried = checks(web(place.format(nginx)))["STOW-RS"]
    assert not tried.good
    assert cure.format(nginx) in tried.text


@pytest.mark.parametrize(
    ("place", "cure"),
    [
        ("{0.mutual}/open", "asks for a client certificate that it trusts"),
        ("{0.wrong}/open", "certificate is not for this address"),
        ("{0.expired}/open", "its certificate has expired: have it renewed there"),
        ("{0.https}/down", "it redirects to http://127.0.0.1:{0.port}/pacs/dicom-web: "),
    ],
)
def test_a_trial_by_https_says_what_is_wrong(nginx: Nginx, place: str, cure: str) -> None:
    destination = web(place.format(nginx), tls={"ca_file": nginx.certificates.ca})
    tried = checks(destination)["STOW-RS"]
    assert not tried.good
    assert cure.format(nginx) in tried.text


def test_https_goes_through_a_proxy_that_sees_nothing_of_it(nginx: Nginx, tmp_path: Path) -> None:
    files, results = nginx.certificates, scan(tmp_path)
    ours = {"ca_file": files.ca, "certificate_file": files.client, "key_file": files.client_key}
    with connect_proxy() as proxy:
        destination = web(f"{nginx.mutual}/pacs", tls=ours, proxy=proxy.url, **basic(tmp_path))
        assert {one.acceptance for one in destination.send(results)} == {Acceptance.TAKEN}
        assert destination.ask(results).missing == ()
        assert set(proxy.asked) == {f"127.0.0.1:{nginx.mutual_port}"}
        stranger = web(f"{nginx.https}/pacs", proxy=proxy.url, **basic(tmp_path))
        with pytest.raises(DeliveryRefused, match="certificate is not trusted"):
            list(stranger.send(results))
        proxy.is_closed = True
        with pytest.raises(DeliveryDelayed, match=f"the proxy {proxy.url} does not let us through"):
            list(destination.send(results))


def test_a_redirect_to_another_host_is_told_and_not_followed(nginx: Nginx, tmp_path: Path) -> None:
    results = scan(tmp_path)
    log_in = basic(tmp_path)
    with pytest.raises(DeliveryRefused, match="it redirects to") as refused:
        list(web(f"{nginx.url}/elsewhere", **log_in).send(results))
    place = str(refused.value).split("it redirects to ")[1].split(": if")[0]
    root = place.removesuffix("/dicom-web")
    assert root == f"http://localhost:{nginx.port}/pacs"
    answers = list(web(root, **log_in).send(results))  # the cure
    assert {answer.acceptance for answer in answers} == {Acceptance.TAKEN}


def test_a_service_without_queries_is_told_from_one_that_shows_nothing(
    nginx: Nginx, tmp_path: Path
) -> None:
    results = scan(tmp_path)
    store = f"{nginx.url}/store"
    assert {one.acceptance for one in web(store).send(results)} == {Acceptance.TAKEN}
    with pytest.raises(DeliveryRefused, match="does not answer queries") as refused:
        web(store).ask(results)
    assert checks(web(store))["QIDO-RS"].text == str(refused.value)
    # both cures
    assert all(one.good for one in web(store, proof="accepted").check())
    queried = web(store, query_url=f"{nginx.url}/open/dicom-web")
    assert all(one.good for one in queried.check())
    assert queried.ask(results).missing == ()


def test_a_web_page_is_not_taken_for_an_acceptance(nginx: Nginx, tmp_path: Path) -> None:
    answers: list[Answer] = []
    with pytest.raises(DeliveryRefused, match="it answers with a web page"):
        answers.extend(web(f"{nginx.url}/page", proof="accepted").send(scan(tmp_path)))
    for answer in web(f"{nginx.url}/open", proof="accepted").send(scan(tmp_path)):  # the cure
        assert answer.acceptance is Acceptance.TAKEN


def test_a_bundle_that_is_too_large_goes_one_by_one(nginx: Nginx, tmp_path: Path) -> None:
    small = write_series(tmp_path / "small", 40, size=8)
    large = write_series(tmp_path / "large", 1, size=256)
    assert sum(file.stat().st_size for file in small) > LARGEST_BODY
    results = results_of([*small, *large])
    answers = list(web(f"{nginx.url}/small").send(results))
    assert [answer.result for answer in answers] == results
    assert {answer.acceptance for answer in answers[:-1]} == {Acceptance.TAKEN}
    assert answers[-1].acceptance is Acceptance.NEVER
    assert "HTTP 413: 0.1 MB is too large for the archive or a proxy" in answers[-1].text


# Tokens -------------------------------------------------------------------------------------------


def test_a_token_file_is_read_anew(nginx: Nginx, tmp_path: Path) -> None:
    trusts = {"tls": {"ca_file": nginx.certificates.ca}}
    destination = web(f"{nginx.https}/token", token_file=secret(tmp_path, "old"), **trusts)
    results = scan(tmp_path)
    with pytest.raises(DeliveryRefused, match="token_file"):
        list(destination.send(results))
    secret(tmp_path, TOKEN)  # the cure
    assert {one.acceptance for one in destination.send(results)} == {Acceptance.TAKEN}
    secret(tmp_path, "two words")
    with pytest.raises(DeliveryRefused, match="write one line without blanks into it"):
        list(destination.send(results))


def test_a_token_is_renewed_when_it_is_refused_and_before_it_ends(
    nginx: Nginx, tokens: TokenService, tmp_path: Path
) -> None:
    tokens.tokens = ["refused", TOKEN]
    destination = web(f"{nginx.url}/token", **oauth2(tmp_path, tokens))
    results = scan(tmp_path)
    assert {one.acceptance for one in destination.send(results)} == {Acceptance.TAKEN}
    authorization, form = tokens.asked[0]
    encoded = base64.b64decode(authorization.removeprefix("Basic ")).decode()
    assert encoded == "hilum%3A1:s%2Fe%20c"  # RFC 6749 2.3.1
    assert form == "grant_type=client_credentials&scope=dicom"
    assert destination.ask(results).missing == ()
    assert len(tokens.asked) == 2


def test_a_token_that_ends_at_once_is_not_kept(
    nginx: Nginx, tokens: TokenService, tmp_path: Path
) -> None:
    tokens.seconds = 0
    destination = web(f"{nginx.url}/token", **oauth2(tmp_path, tokens))
    assert all(one.good for one in destination.check())
    assert len(tokens.asked) == 2


@pytest.mark.parametrize(
    ("status", "error", "kind", "text"),
    [
        (401, "invalid_client", DeliveryRefused, "(invalid_client): correct client_id and the"),
        (400, "invalid_scope", DeliveryRefused, "(invalid_scope): correct scope"),
        (400, "Müller", DeliveryRefused, "(HTTP 400): correct token_url"),
        (200, "none", DeliveryRefused, "(HTTP 200): correct token_url"),
        (503, "", DeliveryDelayed, "its token service answers HTTP 503"),
    ],
)
def test_a_token_service_that_gives_none(
    nginx: Nginx,
    tokens: TokenService,
    tmp_path: Path,
    status: int,
    error: str,
    kind: type[Exception],
    text: str,
) -> None:
    tokens.status, tokens.error = status, error
    destination = web(f"{nginx.url}/token", **oauth2(tmp_path, tokens))
    with pytest.raises(kind) as raised:
        list(destination.send(scan(tmp_path)))
    assert text in str(raised.value)
    assert "Müller" not in str(raised.value)


def test_a_token_service_that_is_silent_is_not_waited_for_without_end(
    nginx: Nginx, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        service = TokenService(url=f"http://127.0.0.1:{silent.getsockname()[1]}/token")
        destination = web(f"{nginx.url}/token", **oauth2(tmp_path, service), timeout_seconds=0.5)
        with pytest.raises(DeliveryDelayed, match="no answer in time"):
            list(destination.send(scan(tmp_path)))


def test_a_token_service_whose_answer_has_no_end_holds_up_nobody(
    nginx: Nginx, tokens: TokenService, tmp_path: Path
) -> None:
    tokens.is_endless = True
    destination = web(f"{nginx.url}/token", **oauth2(tmp_path, tokens), timeout_seconds=0.5)
    with pytest.raises(DeliveryDelayed, match="no answer in time"):
        list(destination.send(scan(tmp_path)))
    tokens.is_endless = False
    destination = web(f"{nginx.url}/token", **oauth2(tmp_path, tokens))
    assert {one.acceptance for one in destination.send(scan(tmp_path / "2"))} == {Acceptance.TAKEN}


def test_a_token_service_that_is_down_is_waited_for(nginx: Nginx, tmp_path: Path) -> None:
    away = TokenService(url=f"http://127.0.0.1:{available_port()}")
    with pytest.raises(DeliveryDelayed, match="its token service cannot be reached"):
        list(web(f"{nginx.url}/token", **oauth2(tmp_path, away)).send(scan(tmp_path)))


# Settings -----------------------------------------------------------------------------------------

OAUTH = {"token_url": "https://login", "client_id": "hilum", "secret_file": "secret"}


@pytest.mark.parametrize(
    ("wrong", "text", "right"),
    [
        ({"username": "me", "token_file": "t"}, "keep one login", {"token_file": "t"}),
        ({"token_file": "t", "oauth2": OAUTH}, "keep one login", {"oauth2": OAUTH}),
        ({"password_file": "p"}, "name the user", {"password_file": "p", "username": "me"}),
        ({"url": "http://pacs", "username": "me"}, "write https", {"username": "me"}),
        ({"url": "http://:secret@pacs"}, "only scheme, host, port and path", {}),
        ({"url": "http://pacs", "token_file": "t"}, "write https", {"token_file": "t"}),
        (
            {"query_url": "http://pacs", "token_file": "t"},
            "query_url: a password or token would",
            {"query_url": "https://pacs", "token_file": "t"},
        ),
        (
            {"oauth2": {**OAUTH, "token_url": "http://login"}},
            "oauth2.token_url: a password or token would",
            {"oauth2": OAUTH},
        ),
        (
            {"url": "http://localhost", "username": "me", "proxy": "http://proxy:3128"},
            "write https",
            {"url": "http://localhost", "username": "me"},
        ),
        (
            {"tls": {"certificate_file": "c"}},
            "belong together",
            {"tls": {"certificate_file": "c", "key_file": "k"}},
        ),
    ],
)
def test_what_is_wrong_in_a_login_is_said_at_the_start(
    wrong: dict[str, Any], text: str, right: dict[str, Any]
) -> None:
    section = {"name": "web", "kind": "dicomweb", "url": "https://pacs"}
    with pytest.raises(ConfigurationError, match=text):
        parse({"destination": [{**section, **wrong}]})
    parse({"destination": [{**section, **right}]})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"ca_file": "nothing"}, "web: tls.ca_file: cannot read"),
        ({"ca_file": "text"}, "holds no certificate in PEM form: write one into it"),
        ({"certificate_file": "server.pem", "key_file": "nothing"}, "tls.key_file: cannot read"),
        ({"certificate_file": "text", "key_file": "server.key"}, "both must be in PEM form"),
        ({"certificate_file": "server.pem", "key_file": "client.key"}, "name the key of this"),
    ],
)
def test_files_of_tls_that_cannot_be_used_are_named(
    nginx: Nginx, values: dict[str, str], text: str
) -> None:
    folder = nginx.certificates.ca.parent
    (folder / "text").write_text("no certificate")
    with pytest.raises(ConfigurationError) as raised:
        web("https://pacs", tls={key: folder / name for key, name in values.items()})
    assert text in str(raised.value)
