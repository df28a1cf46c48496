"""Accepted settings are kept in their order, once each; secrets in them are not shown."""

import threading
from pathlib import Path

import pytest

from hilum.config.masking import masked
from hilum.config.versions import SettingsVersions
from hilum.privacy import open_to_others


def test_versions_are_numbered_and_kept_once(tmp_path: Path) -> None:
    versions = SettingsVersions(tmp_path)
    assert (versions.newest(), versions.one(1), versions.numbers()) == (None, None, [])
    first = versions.keep("a = 1\r\n", 10.0)
    again = versions.keep("a = 1\r\n", 20.0, "somebody else")
    assert first == again == versions.one(1)
    versions.keep("b", 20.0, "USER", "tuned")
    back = versions.keep("a = 1\r\n", 30.0, "USER", "back to version 1")
    assert (back.number, back.text, back.by) == (3, first.text, "USER")
    assert [version.number for version in versions.backwards()] == [3, 2, 1]
    assert open_to_others(tmp_path / "settings") == ""
    assert {file.stat().st_mode & 0o077 for file in (tmp_path / "settings").iterdir()} == {0}


def test_two_that_are_kept_at_once_get_two_numbers(tmp_path: Path) -> None:
    together = threading.Barrier(6)

    def keep(text: str) -> None:
        together.wait()
        SettingsVersions(tmp_path).keep(text, 0.0)

    keepers = [threading.Thread(target=keep, args=(str(number),)) for number in range(6)]
    for keeper in keepers:
        keeper.start()
    for keeper in keepers:
        keeper.join()
    kept = list(SettingsVersions(tmp_path).backwards())
    assert [version.number for version in kept] == [6, 5, 4, 3, 2, 1]
    assert sorted(version.text for version in kept) == [str(number) for number in range(6)]


def test_a_refusal_stands_until_it_is_accepted(tmp_path: Path) -> None:
    versions = SettingsVersions(tmp_path)
    versions.accept()
    assert versions.refusals() == []
    versions.refuse("no such module", 5.0)
    versions.refuse("not TOML", 6.0)
    assert [(one.at, one.reason) for one in versions.refusals()] == [(6.0, "not TOML")]
    assert versions.numbers() == []
    versions.accept()
    assert versions.refusals() == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            'database = "postgresql+psycopg://hilum:s3cr3t!@db/hilum" # ours',
            'database = "postgresql+psycopg://hilum:******@db/hilum" # ours',
        ),
        ('database = "postgresql://db/hilum"', 'database = "postgresql://db/hilum"'),
        ('api_key = "abc" # mine', 'api_key = "******" # mine'),
        ("x = { my-token = 'abc', b = 1 }", "x = { my-token = '******', b = 1 }"),
        ("# password = abc", "# password = ******"),
        ('url = "sqlite:///x?password=abc&b=1"', 'url = "sqlite:///x?password=******&b=1"'),
        ('password_file = "/etc/pw"', 'password_file = "/etc/pw"'),
        ('token_url = "https://login/token"', 'token_url = "https://login/token"'),
    ],
)
def test_secrets_are_not_shown(text: str, shown: str) -> None:
    assert masked(text) == shown
