"""Accounts, sessions, tokens, links and pauses, as they are kept in `people.db`."""

import runpy
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from hilum.config.console import Console
from hilum.errors import HilumError, OtherVersionError
from hilum.people import passwords
from hilum.people.attempts import FREE_PER_ADDRESS, FREE_PER_NAME, LONGEST_PAUSE, pause_after
from hilum.people.database import VERSION
from hilum.people.everybody import Everybody, Pause
from hilum.people.roles import UserRole
from hilum.people.sessions import SignInWay

GOOD = "correct horse battery"
HERE = "192.0.2.1"


def test_a_hash_takes_the_work_that_is_promised() -> None:
    """Read from the file: elsewhere the tests have hashes that take little."""
    made = runpy.run_path(passwords.__file__)["hashed"](GOOD)
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def everybody(tmp_path: Path, clock: Clock) -> Iterator[Everybody]:
    with closing(Everybody(tmp_path, Console(), clock)) as opened:
        yield opened


def test_only_our_user_reads_it_and_no_secret_stands_in_it(
    everybody: Everybody, tmp_path: Path
) -> None:
    everybody.accounts.add("anna", UserRole.READER, GOOD)
    token = everybody.tokens.add("backup", UserRole.VIEWER, 1)
    session = everybody.sessions.begin(SignInWay.PASSWORD, "anna", UserRole.READER)
    link = everybody.links.make("root", 60)
    files = list(tmp_path.glob("people.db*"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    kept = b"".join(file.read_bytes() for file in files)
    assert b"anna" in kept
    for secret in (GOOD, token, session, link):
        assert secret.encode() not in kept


def test_a_password_opens_its_account_and_no_other(everybody: Everybody) -> None:
    everybody.accounts.add("Anna", UserRole.READER, GOOD)
    signed_in = everybody.sign_in("ANNA ", GOOD, HERE)
    assert not isinstance(signed_in, Pause)
    assert signed_in and (signed_in.name, signed_in.role) == ("anna", UserRole.READER)
    assert everybody.sign_in("anna", GOOD + "!", HERE) is None
    assert everybody.sign_in("bert", GOOD, HERE) is None
    assert everybody.sign_in("", "", HERE) is None
    everybody.accounts.disable("anna")
    assert everybody.sign_in("anna", GOOD, HERE) is None
    everybody.accounts.disable("anna", False)
    assert everybody.sign_in("anna", GOOD, HERE)


def test_what_may_be_a_name_and_a_password(everybody: Everybody) -> None:
    for name in ("", "a b", "a" * 65, "<b>", "-rf", "a\x00"):
        with pytest.raises(HilumError, match="a name has"):
            everybody.accounts.add(name, UserRole.READER, GOOD)
    for password in ("short", "x" * 1025, "aaaaaaaaaaaaaaaa", "anna.schmidt12"):
        with pytest.raises(HilumError, match="choose another"):
            everybody.accounts.add("anna.schmidt", UserRole.READER, password)
    everybody.accounts.add("anna", UserRole.READER, GOOD)
    with pytest.raises(HilumError, match="already"):
        everybody.accounts.add("ANNA", UserRole.READER, GOOD)
    with pytest.raises(HilumError, match="there is no account ana, did you mean 'anna'"):
        everybody.accounts.set_role("ana", UserRole.VIEWER)


def test_the_last_administrator_stays_and_the_cure_cures(everybody: Everybody) -> None:
    accounts = everybody.accounts
    accounts.add("anna", UserRole.ADMINISTRATOR, GOOD)
    accounts.add("bert", UserRole.ADMINISTRATOR, GOOD)
    accounts.disable("bert")  # who is kept out does not count

    def ways_to_lose_anna() -> Iterator[Callable[[], None]]:
        yield lambda: accounts.set_role("anna", UserRole.OPERATOR)
        yield lambda: accounts.disable("Anna")
        yield lambda: accounts.remove("anna")

    for lose in ways_to_lose_anna():
        with pytest.raises(HilumError, match="anna is the last administrator"):
            lose()
        assert everybody.sign_in("anna", GOOD, HERE)
    accounts.set_password("anna", GOOD + " staple")
    accounts.add("carla", UserRole.ADMINISTRATOR, GOOD)  # the cure
    for lose in ways_to_lose_anna():
        lose()
    assert [one.name for one in accounts.all()] == ["bert", "carla"]


def test_where_a_provider_brings_administrators_none_has_to_be_ours(tmp_path: Path) -> None:
    openid = {
        "issuer": "https://login.hospital.example",
        "client_id": "hilum",
        "client_secret_file": "/etc/hilum/openid-secret",
        "roles": {"staff": "reader"},
    }
    readers = Console.model_validate({"openid": openid})
    openid["roles"] = {"admins": "administrator"}
    administrators = Console.model_validate({"openid": openid})
    with closing(Everybody(tmp_path, readers)) as opened:
        opened.accounts.add("anna", UserRole.ADMINISTRATOR, GOOD)
        with pytest.raises(HilumError, match="last administrator"):
            opened.accounts.remove("anna")
    with closing(Everybody(tmp_path, administrators)) as opened:
        opened.accounts.remove("anna")
        assert opened.accounts.all() == []


def test_a_session_ends_without_use_and_in_any_case(everybody: Everybody, clock: Clock) -> None:
    everybody.accounts.add("anna", UserRole.READER, GOOD)
    key = everybody.sessions.begin(SignInWay.PASSWORD, "anna", UserRole.READER)
    clock.now += 3599
    found = everybody.sessions.visitor(key)
    assert found and found.name == "anna"
    clock.now += 3599
    assert everybody.sessions.visitor(key, is_use=False)
    clock.now += 2
    assert everybody.sessions.visitor(key) is None  # a page that renews itself keeps nobody in
    key, began = everybody.sessions.begin(SignInWay.PASSWORD, "anna", UserRole.READER), clock.now
    while clock.now < began + 12 * 3600 - 1800:
        clock.now += 1800
        assert everybody.sessions.visitor(key)
    clock.now = began + 12 * 3600
    assert everybody.sessions.visitor(key) is None


def test_a_session_follows_its_account(everybody: Everybody) -> None:
    accounts, sessions = everybody.accounts, everybody.sessions
    accounts.add("anna", UserRole.READER, GOOD)
    accounts.add("bert", UserRole.READER, GOOD)

    def signed_in(name: str) -> str:
        return sessions.begin(SignInWay.PASSWORD, name, UserRole.READER)

    key, other = signed_in("anna"), signed_in("bert")
    accounts.set_role("anna", UserRole.VIEWER)
    found = sessions.visitor(key)
    assert found and found.role is UserRole.VIEWER
    accounts.set_password("anna", GOOD + " staple")
    assert sessions.visitor(key) is None
    key = signed_in("anna")
    accounts.disable("anna")
    accounts.disable("anna", False)
    assert sessions.visitor(key) is None
    key = signed_in("anna")
    accounts.remove("anna")
    accounts.add("anna", UserRole.ADMINISTRATOR, GOOD)
    assert sessions.visitor(key) is None
    key = signed_in("anna")
    sessions.end(key)
    assert sessions.visitor(key) is None
    assert sessions.visitor(other)
    assert sessions.visitor("") is None


def test_who_guesses_pauses_longer_each_time_and_not_for_ever(
    everybody: Everybody, clock: Clock
) -> None:
    everybody.accounts.add("anna", UserRole.READER, GOOD)
    for _ in range(FREE_PER_NAME):
        assert everybody.sign_in("anna", "wrong", HERE) is None
    for pause in (1.0, 2.0, 4.0):
        assert everybody.sign_in("Anna", GOOD, HERE) == Pause(pause, is_first=True)
        # another address helps nobody
        assert everybody.sign_in("anna", GOOD, "192.0.2.2") == Pause(pause, is_first=False)
        clock.now += pause
        assert everybody.sign_in("anna", "wrong", HERE) is None
    clock.now += 8.0
    assert everybody.sign_in("anna", GOOD, HERE)
    assert everybody.sign_in("anna", "wrong", HERE) is None  # and it begins anew
    assert everybody.sign_in("anna", GOOD, HERE)
    assert pause_after(10_000) == LONGEST_PAUSE


def test_who_tries_many_names_pauses_too(
    everybody: Everybody, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilum.people.everybody.fits", lambda password, kept: False)
    for number in range(FREE_PER_ADDRESS):
        address = f"2001:db8::{number}"  # one network is one person
        assert everybody.sign_in(f"name{number}", GOOD, address) is None
    assert everybody.sign_in("another", GOOD, "2001:db8::ffff") == Pause(1.0, is_first=True)
    assert everybody.sign_in("another", GOOD, "2001:db8:1::1") is None
    clock.now += 86401
    assert everybody.sign_in("another", GOOD, "2001:db8::ffff") is None


def test_a_token_opens_until_it_ends_or_is_removed(everybody: Everybody, clock: Clock) -> None:
    text = everybody.tokens.add("grafana", UserRole.VIEWER, 2)
    found = everybody.tokens.visitor(text)
    assert found and (found.name, found.role) == ("grafana", UserRole.VIEWER)
    assert everybody.tokens.visitor(text[:-1]) is None
    (shown,) = everybody.tokens.all()
    assert (shown.used, shown.ends) == (1000.0, 1000.0 + 2 * 86400)
    with pytest.raises(HilumError, match="already"):
        everybody.tokens.add("grafana", UserRole.VIEWER, 2)
    clock.now = shown.ends
    assert everybody.tokens.visitor(text) is None
    text = everybody.tokens.add("other", UserRole.VIEWER, 2)
    everybody.tokens.remove("other")
    assert everybody.tokens.visitor(text) is None
    with pytest.raises(HilumError, match="there is no token"):
        everybody.tokens.remove("other")


def test_a_link_opens_once_and_not_for_ever(everybody: Everybody, clock: Clock) -> None:
    key = everybody.links.make("root", 60)
    assert everybody.links.use(key + "x") is None
    assert everybody.links.use(key) == "root"
    assert everybody.links.use(key) is None
    key = everybody.links.make("root", 60)
    clock.now += 60
    assert everybody.links.use(key) is None


def test_keys_that_open_nothing_are_counted_and_keep_nobody_out(everybody: Everybody) -> None:
    tried = [everybody.open_link("x") for _ in range(FREE_PER_NAME + 3)]
    assert tried[:FREE_PER_NAME] == [None] * FREE_PER_NAME
    first, *more = tried[FREE_PER_NAME:]
    assert first == Pause(1.0, is_first=True)
    assert set(more) == {Pause(1.0, is_first=False)}
    assert everybody.open_link(everybody.links.make("root", 60)) == "root"


def test_a_newer_or_damaged_database_says_what_to_do(tmp_path: Path) -> None:
    Everybody(tmp_path, Console()).close()
    with closing(sqlite3.connect(tmp_path / "people.db")) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(OtherVersionError, match="newer Hilum"):
        Everybody(tmp_path, Console())
    (tmp_path / "people.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(HilumError, match="damaged: remove it, and add people anew"):
        Everybody(tmp_path, Console())
    (tmp_path / "people.db").unlink()  # the cure
    with closing(Everybody(tmp_path, Console())) as everybody:
        assert everybody.accounts.add("anna", UserRole.READER, GOOD)
