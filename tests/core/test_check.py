"""`hilum check` says what `hilum serve` would refuse, all of it at once, and starts nothing."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hilum.checking import check_for
from hilum.cli import app
from hilum.config import load

GOOD = """
[[destination]]
name = "out"
kind = "folder"
folder = "results"

[[rule]]
module = "hippocampal-volume"
send_to = ["out"]
"""


def checked(folder: Path, text: str) -> tuple[int, dict[str, str]]:
    file = folder / "hilum.toml"
    file.write_text(f'data = "{folder}/data"\n{text}')
    shown = CliRunner().invoke(app, ["check", "--json", "-c", str(file)])
    return shown.exit_code, {one["part"]: one["problem"] for one in json.loads(shown.stdout)}


def test_good_settings_are_good_and_nothing_is_made(tmp_path: Path) -> None:
    status, found = checked(tmp_path, GOOD)
    assert (status, set(found.values())) == (0, {""})
    assert len(found) == 7
    assert not (tmp_path / "data").exists()
    lines = CliRunner().invoke(app, ["check", "-c", str(tmp_path / "hilum.toml")]).stdout
    assert lines.splitlines()[0] == "settings: good"


@pytest.mark.parametrize(
    ("text", "part", "words"),
    [
        ("nonsense = 1", "settings", "unknown setting nonsense"),
        ('[[rule]]\nmodule = "none"', "rules and modules", "module 'none': not installed"),
        ('[console]\nhost = "0.0.0.0"', "console", "set console.tls"),
        (
            '[[host]]\nmodule = "chest-radiograph"\nkind = "child"\nfolders = ["/none"]',
            "walls around modules",
            "/none: there is no such folder",
        ),
        (
            '[[host]]\nmodule = "chest-radiograph"\nkind = "child"\nfolders = ["/"]',
            "walls around modules",
            "a module would see every study",
        ),
        (
            '[[norms]]\nmodule = "none"\nfile = "/none/n.csv"\ncitation = "x"\nweights_sha256 = "'
            + "0" * 64
            + '"',
            "norms",
            "n.csv",
        ),
        (
            '[[destination]]\nname = "pacs"\nkind = "dimse"\nport = 1\n'
            'tls = { ca_file = "/none/ca.pem" }',
            "archives, hosts, notifiers and certificates",
            "/none/ca.pem",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_part(
    tmp_path: Path, text: str, part: str, words: str
) -> None:
    status, found = checked(tmp_path, text)
    assert status == 1
    assert words in found[part]
    assert [name for name, problem in found.items() if problem] == [part]


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = '[console]\nhost = "0.0.0.0"\n[[rule]]\nmodule = "none"'
    _, found = checked(tmp_path, text)
    assert sum(bool(problem) for problem in found.values()) == 2


CARD = """
module = "mercure"
name = "outside"
version = "1"
title = "Outside"
licence = "MIT"
basis = "none"
image = "sha256:{digest}"

[input]
modality = "MR"
"""
PODMAN = """#!/bin/sh
case "$1" in images) exit 0 ;; esac
test "$5" = "sha256:{digest}"
"""


def test_what_a_container_lacks_is_told_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    models = tmp_path / "models" / "outside"
    models.mkdir(parents=True)
    (models / "card.toml").write_text(CARD.format(digest="1" * 64))
    text = f'models = "{tmp_path}/models"\n[[rule]]\nmodule = "outside"'
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    problem = checked(tmp_path, text)[1]["containers"]
    assert "apt-get install --no-install-recommends podman" in problem

    program = tmp_path / "bin" / "podman"  # it says which images are here, and runs nothing
    program.parent.mkdir()
    program.write_text(PODMAN.format(digest="2" * 64))
    program.chmod(0o755)
    problem = checked(tmp_path, text)[1]["containers"]
    assert "is not on this machine: `podman pull` or `podman load` it" in problem
    check_for(load(tmp_path / "hilum.toml"), has_console=False)
    assert problem in caplog.text, "the others are served all the same"

    (models / "card.toml").write_text(CARD.format(digest="2" * 64))
    assert checked(tmp_path, text) == (0, dict.fromkeys(checked(tmp_path, text)[1], ""))
