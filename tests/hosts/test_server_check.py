"""An inference server is asked whether it has the model, in the console and by `hilum check`."""

from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hilum.cli import app
from hilum.config import parse
from hilum.console.known import KnownModules
from hilum.errors import MachineError
from hilum.hosts.discovery import installed_module
from hilum.hosts.place import Place
from hilum.hosts.server.checking import checks_of
from hilum.module import facts_of
from hilum.people.roles import UserRole
from hilum.records import Records
from hilum_lab.network.processes import available_port
from inference_servers import Behaviour, kserve, router_model, running
from tests.console.house import House
from tests.console.serving import serving

from .test_kserve import CARD
from .test_server import ROUTER, Site, model


@pytest.mark.parametrize(
    ("card", "good", "words"),
    [
        (CARD, True, "its model bright is ready, and has the tensors of the card"),
        (CARD.replace('model = "bright"', 'model = "dark"'), False, "the server has no such model"),
        (CARD.replace("channels = 2", "channels = 3"), False, "is not that of the card: said is"),
        (ROUTER, True, "it answers, and has the endpoint"),
        (ROUTER.replace("infer/bright", "infer/dark"), False, "the server has no such model"),
    ],
)
def test_a_test_tells_what_the_server_has(
    tmp_path: Path, card: str, good: bool, words: str
) -> None:
    behaviour = Behaviour()
    with running((router_model if card.startswith(ROUTER[:20]) else kserve)(behaviour)) as url:
        site = Site(tmp_path, url, card)
        [told] = checks_of(site.settings, installed_module(site.name, Place(models=site.models)))
    assert (told.what, told.good) == ("server", good)
    assert words in told.text
    assert behaviour.received == [], "no image leaves"


def cannot_be_asked(*_args: object) -> None:
    raise MachineError("no memory left")


def test_the_console_and_the_command_ask_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = model(tmp_path, CARD)
    module = installed_module("bright-part", Place(models=models))
    port = available_port()
    host = {"module": "bright-part", "kind": "server", "url": f"http://127.0.0.1:{port}"}
    settings = {"data": str(tmp_path / "data"), "models": str(models), "host": [host]}
    file = tmp_path / "hilum.toml"
    rule = '[[rule]]\nmodule = "bright-part"\nsend_to = ["out"]\n'
    file.write_text(
        f'data = "{tmp_path}/data"\nmodels = "{models}"\n{rule}'
        f'[[destination]]\nname = "out"\nkind = "folder"\nfolder = "{tmp_path}/out"\n'
        f'[[host]]\nmodule = "bright-part"\nkind = "server"\nurl = "{host["url"]}"\n'
    )
    (tmp_path / "data").mkdir(mode=0o700)
    site = parse(settings)
    with (
        closing(Records(f"sqlite:///{site.data}/hilum.db")) as records,
        serving(site, records, modules=KnownModules((facts_of(module),))) as url,
        House(site, records, url).client() as client,
    ):
        assert "Test the server" in client.get("/modules/bright-part").text
        away = client.post("/modules/bright-part/test").text
        assert 'class="state failed"' in away
        assert "cannot be reached" in away
        told = CliRunner().invoke(app, ["check", "-c", str(file)])
        assert told.exit_code == 1
        assert "inference servers: rule: module 'bright-part'" in told.output
        with running(kserve(Behaviour()), port=port):
            answer = client.post("/modules/bright-part/test").text
            assert 'class="state well"' in answer
            assert "has the tensors of the card" in answer
            told = CliRunner().invoke(app, ["check", "-c", str(file)])
            assert "inference servers: good" in told.output
        with monkeypatch.context() as patched:
            patched.setattr("hilum.console.pages.module.installed_module", cannot_be_asked)
            assert "Test the server" in client.get("/modules/bright-part").text
            unasked = client.post("/modules/bright-part/test").text
            assert 'class="state failed"' in unasked
            assert "no memory left" in unasked
        reader = House(site, records, url).client(UserRole.READER)
        assert "Test the server" not in reader.get("/modules/bright-part").text
        reader.close()
