"""A console that others reach: what it wants first, TLS, reverse proxies."""

import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from hilum.checking import check_console
from hilum.cli import app
from hilum.config import load, parse
from hilum.config.site import Site
from hilum.console.pages.login import ELSEWHERE
from hilum.errors import ConfigurationError
from hilum.people.entrance import entrance
from hilum.people.everybody import Everybody
from hilum.people.roles import UserRole
from hilum.people.sessions import form_token
from hilum.records import Records
from hilum.service.roles import Role
from hilum.service.supervisor import Supervisor
from hilum_lab.network.processes import Child, available_port
from tests.certificates import SelfSigned
from tests.synthetic import wait_for_port

from .serving import serving

GOOD = "correct horse battery"


def test_what_is_wanted_first_and_each_cure_cures(tmp_path: Path) -> None:
    config = tmp_path / "hilum.toml"

    def refusal(**console: Any) -> str:
        lines = [f'data = "{tmp_path}/data"', "[console]"]
        config.write_text("\n".join([*lines, *(f"{k} = {v}" for k, v in console.items())]) + "\n")
        try:
            check_console(load(config))
        except ConfigurationError as error:
            return str(error)
        return ""

    assert refusal() == ""
    assert refusal(host='"::1"') == ""
    everywhere = {"host": '"0.0.0.0"'}
    in_the_clear = refusal(**everywhere)
    assert "would cross the network in the clear: set console.tls, or" in in_the_clear
    made = SelfSigned.make(tmp_path)
    files = f'{{ certificate_file = "{made.certificate}", key_file = "{made.key}" }}'
    for encrypted in ({"tls": files}, {"behind_proxy": "true"}):
        nobody = refusal(**everywhere, **encrypted)
        assert "`hilum people add NAME --role administrator` adds an account, or set" in nobody
    secret = tmp_path / "secret"
    openid = (
        f'{{ issuer = "https://login.example", client_id = "hilum", '
        f'client_secret_file = "{secret}", roles = {{ staff = "reader" }} }}'
    )
    missing = refusal(**everywhere, behind_proxy="true", openid=openid)
    assert missing.startswith("console.openid.client_secret_file: cannot read")
    secret.touch(0o600)
    assert refusal(**everywhere, behind_proxy="true", openid=openid) == ""
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text(GOOD)
    words = ["people", "add", "anna", "--role", "administrator"]
    added = CliRunner().invoke(app, [*words, "--password-file", password, "-c", config])
    assert added.exit_code == 0
    for encrypted in ({"tls": files}, {"behind_proxy": "true"}):
        assert refusal(**everywhere, **encrypted) == ""
    made.key.chmod(0o644)
    assert refusal(**everywhere, tls=files).endswith(f"chmod 600 {made.key}")
    disabled = CliRunner().invoke(app, ["people", "disable", "anna", "-c", str(config)])
    assert disabled.exit_code != 0, "nobody could sign in to manage people any more"
    assert refusal(**everywhere, behind_proxy="true") == ""


def test_hilum_does_not_start_a_console_that_others_could_read_along(tmp_path: Path) -> None:
    console = {"host": "0.0.0.0", "port": available_port()}
    receiver = {"port": available_port(), "low_water_mb": 0}
    site = parse({"data": str(tmp_path / "data"), "console": console, "receiver": receiver})
    with pytest.raises(ConfigurationError, match="in the clear"):
        Supervisor(site)
    Supervisor(site, [Role.WORKER])  # where there is no console, it does not matter


@contextmanager
def console(folder: Path, **settings: Any) -> Iterator[tuple[Site, str]]:
    site = parse({"data": str(folder / "data"), "console": settings})
    with (
        closing(Everybody(site.data, site.console)) as everybody,
        closing(Records(f"sqlite:///{folder}/hilum.db")) as records,
        serving(site, records) as url,
    ):
        everybody.accounts.add("anna", UserRole.OPERATOR, GOOD)
        yield site, url


def test_over_tls_the_cookie_goes_nowhere_else(tmp_path: Path) -> None:
    made = SelfSigned.make(tmp_path)
    tls = {"certificate_file": made.certificate, "key_file": made.key}
    with console(tmp_path, tls=tls) as (site, url):
        trust = ssl.create_default_context(cafile=made.certificate)
        with httpx.Client(base_url=url, verify=trust) as client:
            done = client.post("/login", data={"name": "anna", "password": GOOD})
            name, _, rest = done.headers["set-cookie"].partition("=")
            assert name == "__Host-hilum"
            assert {"HttpOnly", "SameSite=lax", "Secure", "Path=/"} <= set(rest.split("; "))
            assert "anna, operator" in client.get("/").text
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(url.replace("https", "http"))
        assert site.console.is_encrypted


def test_a_renewed_certificate_is_used_without_a_restart(tmp_path: Path) -> None:
    made = SelfSigned.make(tmp_path)
    tls = {"certificate_file": made.certificate, "key_file": made.key}

    def shown(url: str) -> str:
        host, port = url.removeprefix("https://").split(":")
        return ssl.get_server_certificate((host, int(port)))

    with console(tmp_path, tls=tls) as (_, url):
        before = made.certificate.read_text()
        assert shown(url) == before
        (tmp_path / "new").mkdir()
        new = SelfSigned.make(tmp_path / "new")
        made.certificate.write_text(new.certificate.read_text())  # the key is still the old one
        assert shown(url) == before
        made.key.write_text(new.key.read_text())
        assert shown(url) == new.certificate.read_text() != before


@contextmanager
def nginx(folder: Path, behind: str, lines: str) -> Iterator[str]:
    """An nginx with TLS before the console, as docs/how-to/people.md has it."""
    made = SelfSigned.make(folder)
    port = available_port()
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    (folder / "nginx.conf").write_text(
        f"""
        daemon off; master_process off; pid nginx.pid; error_log stderr;
        events {{}}
        http {{
            access_log off;
            {" ".join(f"{name}_temp_path {name};" for name in temporary)}
            server {{
                listen 127.0.0.1:{port} ssl;
                ssl_certificate {made.certificate}; ssl_certificate_key {made.key};
                location / {{ proxy_pass {behind}; {lines} }}
            }}
        }}"""
    )
    command = ["nginx", "-p", f"{folder}/", "-e", "stderr", "-c", folder / "nginx.conf"]
    child = Child("nginx", command, folder / "nginx.log")
    try:
        wait_for_port(port)
        yield f"https://127.0.0.1:{port}"
    finally:
        child.kill()


PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "people.md").read_text()
AS_DOCUMENTED = PAGE.partition("proxy_pass http://127.0.0.1:8040;")[2].partition("}")[0]


def test_behind_a_reverse_proxy_everybody_signs_in(tmp_path: Path) -> None:
    settings = {"behind_proxy": True, "names": ["hilum.example"], "proxies": ["127.0.0.1"]}
    with (
        console(tmp_path, **settings) as (site, url),
        nginx(tmp_path, url, AS_DOCUMENTED) as front,
    ):
        trust = ssl.create_default_context(cafile=tmp_path / "server.pem")
        named = {"Host": "hilum.example"}
        with httpx.Client(base_url=front, verify=trust, headers=named) as client:
            assert client.get("/").status_code == 303
            key = entrance(site, 60, "root").partition("#")[2]
            assert ELSEWHERE in client.post("/enter", data={"key": key}).text
            ours = {"Origin": "https://hilum.example"}
            form = {"name": "anna", "password": GOOD}
            done = client.post("/login", data=form, headers=ours)
            assert done.status_code == 303
            cookie = done.headers["set-cookie"].partition(";")[0]
            assert cookie.startswith("__Host-hilum=")
            client.cookies.clear()
            signed = {**named, "Cookie": cookie}
            assert "anna, operator" in client.get("/", headers=signed).text
            token = {"form_token": form_token(cookie.partition("=")[2])}
            foreign = {**signed, "Origin": "https://evil.example"}
            assert client.post("/logout", data=token, headers=foreign).status_code == 403
            assert client.post("/logout", data=token, headers={**signed, **ours}).is_redirect
            assert client.get("/", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(("proxies", "second"), [([], 429), (["127.0.0.1"], 401)])
def test_only_a_known_proxy_says_who_asks(
    proxies: list[str], second: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever guesses would be another address each time."""
    monkeypatch.setattr("hilum.people.attempts.FREE_PER_ADDRESS", -6)  # a minute after the first
    with console(tmp_path, proxies=proxies) as (_, url):
        codes = [
            httpx.post(
                f"{url}/login",
                data={"name": f"name{number}", "password": "wrong"},
                headers={"X-Forwarded-For": f"198.51.100.{number}"},
            ).status_code
            for number in range(2)
        ]
    assert codes == [401, second]
