"""`hilum people`: accounts and tokens from the command line."""

import json
import re
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hilum.cli import app
from hilum.config.console import Console
from hilum.errors import HilumError
from hilum.people.everybody import Everybody
from hilum.people.roles import UserRole
from hilum.records import Records

GOOD = "correct horse battery"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "hilum.toml").write_text(f'data = "{tmp_path}/data"\n')
    return tmp_path / "hilum.toml"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{GOOD}\n")
    file.chmod(0o600)
    return file


def hilum(config: Path, *words: object, typed: str = "") -> Result:
    environment = {"COLUMNS": "200"}
    return CliRunner().invoke(
        app, [*map(str, words), "-c", str(config)], input=typed, env=environment
    )


def signs_in(config: Path, password: str = GOOD) -> UserRole | None:
    with closing(Everybody(config.parent / "data", Console())) as everybody:
        found = everybody.sign_in("anna", password, "192.0.2.1")
        return getattr(found, "role", None)


def test_the_life_of_an_account(config: Path, password: Path) -> None:
    assert "there are no accounts" in hilum(config, "people", "list").stdout
    said = hilum(config, "people", "add", "anna", "--role", "reader", typed=f"{GOOD}\n{GOOD}\n")
    assert "anna may sign in as reader" in said.stderr
    assert signs_in(config) is UserRole.READER
    assert "anna is operator now" in hilum(config, "people", "role", "anna", "operator").stderr
    assert signs_in(config) is UserRole.OPERATOR
    assert re.search(r"anna +operator +2", hilum(config, "people", "list").stdout)
    assert "is disabled and signed out" in hilum(config, "people", "disable", "anna").stderr
    assert signs_in(config) is None
    (shown,) = json.loads(hilum(config, "people", "list", "--json").stdout)
    assert (shown["name"], shown["role"], shown["disabled"]) == ("anna", "operator", True)
    assert "may sign in again" in hilum(config, "people", "disable", "anna", "--undo").stderr
    assert signs_in(config) is UserRole.OPERATOR
    password.write_text(GOOD + " staple")
    said = hilum(config, "people", "password", "anna", "--password-file", password)
    assert "anna has a new password, and is signed out everywhere" in said.stderr
    assert signs_in(config) is None
    assert signs_in(config, GOOD + " staple") is UserRole.OPERATOR
    assert "anna is removed" in hilum(config, "people", "remove", "anna").stderr
    assert signs_in(config, GOOD + " staple") is None


def test_what_is_typed_twice_must_be_the_same(config: Path) -> None:
    words = ("people", "add", "anna", "--role", "reader")
    said = hilum(config, *words, typed=f"{GOOD}\n{GOOD}x\n")
    assert isinstance(said.exception, HilumError)
    assert "the two passwords differ; nothing was changed" in str(said.exception)
    assert GOOD not in said.output
    assert signs_in(config) is None


def test_a_password_file_that_others_may_read_is_refused(config: Path, password: Path) -> None:
    password.chmod(0o644)
    words = ("people", "add", "anna", "--role", "reader", "--password-file", password)
    refused = hilum(config, *words).exception
    assert isinstance(refused, HilumError)
    assert str(refused).endswith(f"chmod 600 {password}")
    password.chmod(0o600)  # the cure
    assert hilum(config, *words).exit_code == 0
    assert signs_in(config) is UserRole.READER


def test_the_life_of_a_token(config: Path) -> None:
    assert "there are no tokens" in hilum(config, "people", "token", "list").stdout
    made = hilum(config, "people", "token", "add", "grafana", "--role", "viewer", "--days", "3")
    text = made.stdout.strip()
    assert text.startswith("hilum_")
    assert text not in made.stderr
    assert "may ask as viewer for 3 days" in made.stderr
    with closing(Everybody(config.parent / "data", Console())) as everybody:
        assert everybody.tokens.visitor(text)
        listed = hilum(config, "people", "token", "list").stdout
        assert re.search(r"grafana +viewer", listed) and text not in listed
        assert "is removed" in hilum(config, "people", "token", "remove", "grafana").stderr
        assert everybody.tokens.visitor(text) is None


def test_the_link_is_for_this_machine_only(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as console:
        port = console.getsockname()[1]
        config.write_text(config.read_text() + f"console.port = {port}\n")
        printed = hilum(config, "console").stdout.strip()
    address, _, key = printed.partition("#")
    assert address == f"http://127.0.0.1:{port}/enter"
    assert "no console listens at" in str(hilum(config, "console").exception)
    with closing(Everybody(config.parent / "data", Console())) as everybody:
        assert everybody.links.use(key)
    config.write_text(config.read_text() + 'console.host = "0.0.0.0"\n')
    refused = hilum(config, "console").exception
    assert isinstance(refused, HilumError)
    assert "`hilum people add NAME --role administrator` makes an account" in str(refused)


def test_a_backup_holds_the_accounts_and_a_restore_keeps_those_of_now(
    config: Path, password: Path
) -> None:
    words = ("people", "add", "anna", "--role", "reader", "--password-file", password)
    assert hilum(config, *words).exit_code == 0
    with closing(Records(f"sqlite:///{config.parent}/data/hilum.db")):
        backup = config.parent / "backup"
        said = hilum(config, "backup", backup).stdout
        with closing(Everybody(backup / "data", Console())) as copy:
            assert [one.name for one in copy.accounts.all()] == ["anna"]
        assert hilum(config, "people", "remove", "anna").exit_code == 0
    commands = said.partition("then type:\n")[2].replace("\n  ", "\n")
    subprocess.run(commands, shell=True, check=True, cwd=config.parent)
    assert "there are no accounts" in hilum(config, "people", "list").stdout
