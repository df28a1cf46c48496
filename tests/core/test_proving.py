"""What follows where an archive answers oddly or late, or Hilum dies: asked for, and sent once.

The clock is the test's, the archives listen for real.
"""

from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from hilum.answers import Commitment
from hilum.delivery.proving import NO_SUCH_OBJECT
from hilum.delivery.standings import ANYWAY_SECONDS
from hilum.destinations.dimse import DimseDestinationSettings
from hilum.inbox.commitments import keep
from hilum.records.models.deliveries import CommitmentRequest
from hilum.records.states import DeliveryState, EventKind
from hilum.transport import commitment
from hilum_lab.archives.behaviour import AE_TITLE, EVERY, Commits, DimseBehaviour
from hilum_lab.archives.dimse import WELL, DimseArchive
from hilum_lab.network.processes import LOOPBACK, available_port
from tests.core.test_order_of_arrival import Death
from tests.core.test_outbox import HOUR, Desk, release

NEVER = DimseBehaviour(commits=Commits.NEVER)
COMMITS = DimseBehaviour(commits=Commits.AT_ONCE)
BUSY = 0x0213


class Archive(DimseArchive):
    """An archive that remembers how it was asked for commitment, and how it answered."""

    def __init__(self) -> None:
        super().__init__(available_port())
        self.transactions: list[str] = []
        self.status = 0

    def _commit(self, event: Any) -> tuple[int, None]:
        self.transactions.append(str(event.action_information.TransactionUID))
        return (self.status, None) if self.status else super()._commit(event)


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    monkeypatch.setattr(commitment, "AT_ONCE_SECONDS", 0.2)
    archive = Archive()
    archive.open()
    yield archive
    archive.close()


def desk_for(folder: Path, archive: Archive, **settings: Any) -> Desk:
    node = {"name": "pacs", "host": LOOPBACK, "port": archive.port, "ae_title": AE_TITLE}
    return Desk(folder, DimseDestinationSettings.model_validate({**node, **settings}))


@pytest.fixture
def desk(tmp_path: Path, archive: Archive) -> Iterator[Desk]:
    desk = desk_for(tmp_path, archive)
    yield desk
    desk.records.close()


@pytest.fixture
def committed(tmp_path: Path, archive: Archive) -> Iterator[Desk]:
    """Where the archive is asked for commitment, for two minutes."""
    desk = desk_for(tmp_path, archive, proof="commitment", proof_seconds=120)
    yield desk
    desk.records.close()


def until_parked(desk: Desk, name: str = "a") -> None:
    until_settled(desk, name)
    assert desk.state(name) == "parked"


def until_settled(desk: Desk, name: str = "a") -> None:
    while desk.state(name) == "delivering":
        desk.turn()


def answer(desk: Desk, transaction_uid: str, uid: str, reason: int = 0) -> None:
    """The archive calls the receiver; with a `reason` it says that the object failed, too."""
    keep(desk.folder, Commitment(transaction_uid, (uid,), {uid: reason} if reason else {}))
    desk.outbox.hear_commitments()


def left(desk: Desk) -> list[Path]:
    return list(desk.folder.glob("commitments/*"))


# Queries --------------------------------------------------------------------------------------


def test_an_archive_that_is_too_busy_for_a_query_is_asked_again(
    desk: Desk, archive: Archive
) -> None:
    uid = desk.owe("a", "pacs")
    archive.open(DimseBehaviour(find_statuses={EVERY: 0xA700}))
    for _ in range(3):
        desk.turn()
    assert desk.delivery("a").state is DeliveryState.ASKED
    assert "it lacks resources" in desk.delivery("a").reason
    archive.open(WELL)
    until_settled(desk)
    assert (archive.sent, desk.state("a")) == ({uid: 1}, "completed")


def test_an_archive_that_lists_objects_and_no_series_is_waited_for(
    desk: Desk, archive: Archive
) -> None:
    uid = desk.owe("a", "pacs")
    archive.open(DimseBehaviour(lag_seconds=inf, find_statuses={"SERIES": 0xA900}))
    for _ in range(3):
        desk.turn()
    assert desk.delivery("a").state is DeliveryState.ASKED
    archive.open(DimseBehaviour(find_statuses={"SERIES": 0xA900}))
    until_settled(desk)
    assert (archive.sent, desk.state("a")) == ({uid: 1}, "completed")


def test_an_archive_that_only_counts_is_asked_before_it_is_sent_something_again(
    desk: Desk, archive: Archive
) -> None:
    uid = desk.owe("a", "pacs")
    archive.open(DimseBehaviour(find_statuses={"IMAGE": 0xA900}, drop_first=1))
    until_settled(desk)
    assert (archive.sent, desk.state("a")) == ({uid: 1}, "completed")


def test_a_release_sends_what_could_not_be_asked_for_and_is_not_there(
    desk: Desk, archive: Archive
) -> None:
    uid = desk.owe("a", "pacs")
    archive.open(DimseBehaviour(keeps=False, find_statuses={EVERY: 0xA900}))
    until_parked(desk)
    assert "and sends what is not shown then" in desk.delivery("a").reason
    archive.open(WELL)
    release(desk, "a")
    until_settled(desk)
    assert (archive.sent, desk.state("a")) == ({uid: 2}, "completed")


@pytest.mark.parametrize("settings", [{}, {"resend_after": 3}])
def test_wherever_it_dies_what_was_sent_again_is_not_sent_a_third_time(
    tmp_path: Path, archive: Archive, settings: dict[str, float]
) -> None:
    """A person wants it sent again, or the setting does; the archive drops it each time."""
    desk = desk_for(tmp_path, archive, proof_seconds=10, **settings)
    archive.open(DimseBehaviour(keeps=False))
    deaths = 0
    for dies_after in range(4, 18):
        name = f"dies after {dies_after}"
        uid = desk.owe(name, "pacs")
        if settings:
            desk.turn()
        else:
            until_parked(desk, name)
            release(desk, name)
        desk.records.transactions_left = dies_after
        try:
            until_settled(desk, name)
        except Death:
            deaths += 1
        desk.records.transactions_left = None
        until_settled(desk, name)
        desk.outbox.settle(name)
        said = [e.text for e in desk.records.events.of_study("1.2") if e.workitem_id == name]
        unknown = sum("had no answer" in text for text in said)
        assert archive.sent[uid] == 2 + unknown, (dies_after, said)
        assert desk.state(name) == "parked"
    assert deaths == 14
    desk.records.close()


@pytest.mark.parametrize("proof", ["accepted", "commitment"])
def test_only_what_was_sent_again_is_said_to_be(
    tmp_path: Path, archive: Archive, proof: str
) -> None:
    """It breaks off, and is down for a while; then it has no query."""
    desk = desk_for(tmp_path, archive, proof=proof)
    uid = desk.owe("a", "pacs")
    archive.open(DimseBehaviour(drop_first=1, drop_keeps=False))
    desk.turn()
    archive.close()
    for _ in range(4):
        desk.turn()
        desk.now += ANYWAY_SECONDS
    said = desk.records.events.of_kind("1.2", EventKind.SENT_AGAIN)
    assert (archive.sent, said) == ({uid: 1}, [])
    archive.open(DimseBehaviour(commits=Commits.AT_ONCE, models=()))
    until_settled(desk)
    [said_again] = desk.records.events.of_kind("1.2", EventKind.SENT_AGAIN)
    assert said_again.text.endswith("had no answer: it cannot be asked and may hold both")
    assert (archive.sent, desk.state("a")) == ({uid: 2}, "completed")
    desk.records.close()


# Commitment -----------------------------------------------------------------------------------


def test_a_release_gives_the_archive_time_to_commit_itself(
    committed: Desk, archive: Archive
) -> None:
    uid = committed.owe("a", "pacs")
    archive.open(NEVER)
    until_parked(committed)
    committed.now += 100 * HOUR
    release(committed, "a")
    committed.turn()
    assert committed.delivery("a").state is DeliveryState.ASKED
    assert len(set(archive.transactions)) == len(archive.transactions)
    answer(committed, archive.transactions[-1], uid)
    committed.turn()
    assert committed.delivery("a").state is DeliveryState.COMMITTED
    assert (archive.sent, left(committed)) == ({uid: 1}, [])


def test_what_an_archive_says_to_have_failed_is_not_committed(
    committed: Desk, archive: Archive
) -> None:
    """Whatever else it says of the same object."""
    uid = committed.owe("a", "pacs")
    archive.open(NEVER)
    committed.turn()
    answer(committed, archive.transactions[-1], uid, NO_SUCH_OBJECT)
    committed.turn()
    assert committed.delivery("a").state is DeliveryState.NOT_SHOWN
    assert "no commitment for 1 of 1 object" in committed.delivery("a").reason


def test_a_commitment_that_comes_too_late_still_counts(committed: Desk, archive: Archive) -> None:
    uid = committed.owe("a", "pacs")
    archive.open(NEVER)
    until_parked(committed)
    committed.now += 100 * HOUR
    answer(committed, archive.transactions[0], uid)
    committed.turn()
    assert committed.delivery("a").state is DeliveryState.COMMITTED
    assert (archive.sent, committed.state("a")) == ({uid: 1}, "completed")
    answer(committed, archive.transactions[1], uid)  # it answers every request
    assert left(committed) == []
    committed.turn()
    assert committed.state("a") == "completed"


def test_an_answer_that_nobody_waits_for_hurries_nothing(desk: Desk, archive: Archive) -> None:
    """The proof was commitment, and is now the query."""
    uid = desk.owe("a", "pacs")
    archive.open(DimseBehaviour(lag_seconds=inf))
    desk.records.commitments.add(CommitmentRequest("2.25.1", "a", "pacs", desk.now))
    answer(desk, "2.25.1", uid)
    assert left(desk) == []
    desk.turn()
    assert desk.delivery("a").next_attempt > 0


def test_what_the_archive_does_not_have_is_sent_when_a_person_releases_it(
    committed: Desk, archive: Archive
) -> None:
    """It answers no query, so only its Failure Reason says so (0x0112)."""
    uid = committed.owe("a", "pacs")
    archive.open(DimseBehaviour(commits=Commits.AT_ONCE, models=(), keeps=False))
    until_parked(committed)
    archive.open(DimseBehaviour(commits=Commits.AT_ONCE, models=()))
    release(committed, "a")
    until_settled(committed)
    assert committed.delivery("a").state is DeliveryState.COMMITTED
    assert archive.sent == {uid: 2}


def test_what_the_archive_shows_is_not_sent_whatever_it_says_of_it(
    committed: Desk, archive: Archive
) -> None:
    uid = committed.owe("a", "pacs")
    archive.open(DimseBehaviour(commits=Commits.AT_ONCE, commit_failures={EVERY: 0x0112}))
    for _ in range(2):
        until_parked(committed)
        release(committed, "a")
    until_parked(committed)
    assert archive.sent == {uid: 1}


def test_an_archive_that_is_too_busy_to_commit_itself_is_asked_again(
    committed: Desk, archive: Archive
) -> None:
    uid = committed.owe("a", "pacs")
    archive.open(COMMITS)
    archive.status = BUSY
    committed.turn()
    assert committed.delivery("a").state is DeliveryState.ASKED
    archive.status = 0
    until_settled(committed)
    assert committed.delivery("a").state is DeliveryState.COMMITTED
    assert archive.sent == {uid: 1}
