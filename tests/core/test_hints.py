"""A hint arrives as what it was sent, or is dropped: nothing that comes does any harm."""

import json
import logging
import socket
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.processes.hints import (
    Hint,
    HintReceiver,
    HintSender,
    Started,
    Stored,
    decode,
    encode,
    is_abandoned,
)
from tests.patience import PATIENCE, until

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(Path, st.text("ab/.é \n", min_size=1).map(Path))
HINTS: st.SearchStrategy[Hint] = st.one_of(*map(st.from_type, get_args(Hint)))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMES = [kind.__name__ for kind in get_args(Hint)]


@given(hint=HINTS)
def test_a_hint_is_read_as_it_was_written(hint: Hint) -> None:
    assert decode(encode(hint)) == hint


@given(name=st.sampled_from(NAMES), fields=JSON)
def test_what_has_other_fields_is_no_hint_or_a_whole_one(name: str, fields: object) -> None:
    try:
        hint = decode(json.dumps([name, fields]).encode())
    except ValueError:
        return
    assert decode(encode(hint)) == hint


@given(datagram=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_a_value_error(datagram: bytes) -> None:
    with pytest.raises(ValueError):
        decode(datagram)


def test_who_waits_for_hints_can_be_woken_without_one(tmp_path: Path) -> None:
    address = tmp_path / "hints"
    receiver = HintReceiver(address)
    with closing(receiver), closing(HintSender(address)) as sender:
        receiver.wake()
        assert receiver.receive(timeout=PATIENCE) == []
        receiver.wake()
        sender.send(Started())
        found: list[Hint] = []
        until(lambda: found.extend(receiver.receive(0.0)) or found, "the hint behind it")
        assert found == [Started()]


def test_broken_datagrams_are_counted_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [b"{", b"[]", b'["Stored", {}]', b'["Gone", {}]', b"\xff", b"[" * 60_000]
    address = tmp_path / "hints"
    with (
        closing(HintReceiver(address)) as receiver,
        closing(HintSender(address)) as sender,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger,
        caplog.at_level(logging.WARNING),
    ):
        for datagram in broken:
            stranger.sendto(datagram, str(address))
        sender.send(Started())
        assert receiver.receive(10) == [Started()]
        assert receiver.dropped == len(broken)
        sender.send(Stored(Path("a"), "b", late=True))
        assert receiver.receive(10) == [Stored(Path("a"), "b", late=True)]
    assert len(caplog.records) == 1


def test_a_place_where_somebody_has_listened_and_nobody_does_now(tmp_path: Path) -> None:
    address = tmp_path / "hints"
    assert not is_abandoned(address)  # nobody ever has
    with closing(HintReceiver(address)) as receiver:
        assert not is_abandoned(address)
        assert receiver.receive(0) == []  # to ask sends nothing
    until(lambda: is_abandoned(address), "the socket to be closed")
