"""Rejections are counted and bounded, whatever comes."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.processes.hints import HintReceiver, HintSender, Rejected
from hilum.records import Records
from hilum.rejections import MOST_ROWS, Rejection, RejectionKind, Rejections
from hilum.sources.rejecting import MOST_LINES, Rejecting


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as opened:
        yield opened


@pytest.fixture
def rejecting(tmp_path: Path) -> Iterator[Rejecting]:
    with closing(HintSender(tmp_path / "hints")) as hints:
        yield Rejecting(hints)


@contextmanager
def hearing(tmp_path: Path) -> Iterator[HintReceiver]:
    with closing(HintReceiver(tmp_path / "hints")) as listening:
        yield listening


def test_a_flood_is_one_row_with_a_count_and_one_line(
    tmp_path: Path, records: Records, rejecting: Rejecting, caplog: pytest.LogCaptureFixture
) -> None:
    news: list[Rejection] = []
    with hearing(tmp_path) as listening, caplog.at_level(logging.WARNING):
        for number in range(10_000):
            rejecting.note(
                RejectionKind.CALLER, "not allowed: allow it", "10.0.0.7", "CT2", "HILUM"
            )
            if number % 100 == 0:
                rejecting.tell()
                news += [
                    hint.rejection for hint in listening.receive(5) if isinstance(hint, Rejected)
                ]
        rejecting.tell()
        news += [hint.rejection for hint in listening.receive(5) if isinstance(hint, Rejected)]
    records.rejections.note(news)
    (row,) = records.rejections.since()
    assert (row.kind, row.caller, row.called) == (RejectionKind.CALLER, "CT2", "HILUM")
    assert (row.address, row.count) == ("10.0.0.7", 10_000)
    assert row.first_at < row.last_at
    assert len(caplog.records) == 1
    assert "CT2 (10.0.0.7): not allowed: allow it" in caplog.text


def test_what_the_gateway_does_not_hear_is_told_later(tmp_path: Path, rejecting: Rejecting) -> None:
    for _ in range(3):
        rejecting.note(RejectionKind.ADDRESS, "not allowed", "10.0.0.7")
        rejecting.tell()
    with hearing(tmp_path) as listening:
        rejecting.tell()
        (hint,) = listening.receive(5)
    assert isinstance(hint, Rejected)
    assert hint.rejection.count == 3


def test_ever_new_senders_fill_neither_log_nor_records(
    records: Records, rejecting: Rejecting, caplog: pytest.LogCaptureFixture
) -> None:
    victim = Rejection.at(1.0, RejectionKind.CALLER, "10.0.0.7", "CT2", "HILUM", "not allowed")
    records.rejections.note([victim])
    flood = [
        Rejection.at(2.0 + n, RejectionKind.CALLER, "10.6.6.6", f"X{n}", "HILUM", "not allowed")
        for n in range(3 * MOST_ROWS)
    ]
    records.rejections.note(flood)
    rows = records.rejections.since()
    assert len(rows) == MOST_ROWS
    assert victim in rows
    assert flood[-1] in rows
    with caplog.at_level(logging.WARNING):
        for rejection in flood:
            rejecting.note(rejection.kind, rejection.reason, rejection.address, rejection.caller)
        rejecting.tell()
        rejecting.tell()
    assert len(caplog.records) <= MOST_LINES


@given(text=st.text(max_size=400))
def test_what_a_sender_wrote_acts_on_no_terminal(text: str) -> None:
    rejection = Rejection.at(0.0, RejectionKind.CALLED, "10.0.0.7", text, text, text)
    for shown in (rejection.caller, rejection.called, rejection.reason):
        assert shown.isprintable()
        assert len(shown) <= 300


@given(told=st.lists(st.tuples(st.sampled_from(RejectionKind), st.sampled_from("AB"))))
def test_every_reason_of_a_sender_has_a_row_and_a_count_of_its_own(
    told: list[tuple[RejectionKind, str]],
) -> None:
    rows = Rejections()
    with closing(Records("sqlite://")) as records:
        for now, (kind, reason) in enumerate(told, 1):
            rejection = Rejection.at(float(now), kind, "10.0.0.7", "CT1", "HILUM", reason)
            rows.add(rejection)
        records.rejections.note(list(rows))
        kept = {(row.kind, row.reason): row.count for row in records.rejections.since()}
    assert kept == Counter(told)


@given(order=st.permutations(range(12)))
def test_rows_are_the_same_in_any_order(order: list[int]) -> None:
    given_ones = [
        Rejection.at(float(n), RejectionKind.CALLER, "10.0.0.7", f"CT{n % 3}", "HILUM", "no")
        for n in range(12)
    ]
    rows = Rejections()
    for n in order:
        rows.add(given_ones[n])
    assert sorted((r.caller, r.count, r.first_at, r.last_at) for r in rows) == [
        (f"CT{n}", 4, float(n), float(n + 9)) for n in range(3)
    ]
