"""`hilum check` says what `hilum serve` would refuse, all of it at once, and starts nothing."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hilum.cli import app

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
    assert len(found) == 6
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
