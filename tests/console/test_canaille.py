"""Signing in with a browser at a provider as hospitals run them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hilum.config import parse
from hilum.console.pages.openid import NO_ROLE
from hilum.records import Records
from hilum_lab.network.processes import Child, available_port, listens
from tests.browser import CHROMIUM, Reader
from tests.patience import PATIENCE

from .serving import serving

PYTHON = Path(__file__).parents[2] / ".canaille" / "bin" / "python"
SERVER = Path(__file__).parent / "canaille_server.py"
PASSWORD, SECRET = "correct horse battery", "a secret"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no canaille, see {SERVER.name}"),
]


@contextmanager
def canaille(folder: Path, back: str) -> Iterator[str]:
    port = available_port()
    command = [PYTHON, SERVER, str(port), back, SECRET]
    child = Child("canaille", command, folder / "canaille.log", {"LANG": "C"})
    try:
        child.wait_until(lambda: listens(port), PATIENCE)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.kill()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    port = available_port()
    back = f"http://127.0.0.1:{port}/login/openid/callback"
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(SECRET)
    with canaille(tmp_path, back) as issuer:
        openid = {
            "issuer": issuer,
            "client_id": "hilum",
            "client_secret_file": secret,
            "roles": {"radiology": "reader"},
            "scope": "openid profile groups",
        }
        site = parse({"data": str(tmp_path / "data"), "console": {"openid": openid}})
        with (
            closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records,
            serving(site, records, port=port) as url,
        ):
            yield url


def sign_in_there(reader: Reader, url: str, name: str) -> None:
    page = reader.page
    page.goto(f"{url}/studies")
    page.click("text=Sign in at 127.0.0.1")
    page.fill("input[name=login]", name)
    page.keyboard.press("Enter")
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")


def test_a_radiologist_comes_in_and_nobody_else_does(url: str) -> None:
    with Reader() as reader:
        sign_in_there(reader, url, "anna")
        reader.page.wait_for_url(f"{url}/studies", timeout=1000 * PATIENCE)
        reader.page.goto(url)
        reader.page.wait_for_selector("text=anna, reader")
    with Reader() as reader:
        sign_in_there(reader, url, "bert")
        reader.page.wait_for_selector(f"text={NO_ROLE}")
        reader.page.goto(url)
        reader.page.wait_for_selector("h1:has-text('Sign in')")
