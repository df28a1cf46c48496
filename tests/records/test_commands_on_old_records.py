"""Whoever types a command on the records of another version is told what to do, in one line."""

import sys
from pathlib import Path

import pytest

from hilum.cli import main
from hilum.records import Records
from hilum_lab.network.processes import available_port

from .databases import make_old, run

COMMANDS = (
    ["status"],
    ["status", "--json"],
    ["find", "x"],
    ["trace", "1.2.3"],
    ["destinations"],
    ["release", "1.2.3"],
    ["retry", "1.2.3"],
    ["cancel", "1.2.3"],
    ["withdraw", "1.2.3", "--reason", "wrong"],
    ["decide", "1.2.3"],
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with settings, in which commands are typed; the URL of its records."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "hilum.toml").write_text(
        f'data = "{data}"\n'
        f"[receiver]\nport = {available_port()}\n"
        f"[console]\nport = {available_port()}\n"
        '[[destination]]\nname = "pacs"\nkind = "folder"\nfolder = "out"\n'
    )
    return f"sqlite:///{data}/hilum.db"


def typed(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What the command prints to standard error; it must fail."""
    monkeypatch.setattr(sys, "argv", ["hilum", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_older_version_is_named_with_its_cure(
    here: str,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_old(here)
    said = typed(command, monkeypatch, capsys)
    assert said.startswith("error: the records were made by an older Hilum: `hilum serve` brings")
    assert said.count("\n") == 1


def test_a_newer_version_is_named_with_its_cure(
    here: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Records(here).close()
    run(here, "UPDATE alembic_version SET version_num = '9999'")
    for command in ["status"], ["serve"]:
        said = typed(command, monkeypatch, capsys)
        assert "made by a newer Hilum (their version is 9999" in said
        assert said.splitlines()[-1].startswith("error: ")
