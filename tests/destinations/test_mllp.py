"""HL7 messages to a receiver that answers, refuses, is silent, is down and is back."""

import ssl
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.answers import Acceptance, Answer
from hilum.destinations import mllp
from hilum.destinations.mllp import MOST_ERRORS, MllpDestination, MllpDestinationSettings
from hilum.dicom.uids import derived_uid
from hilum.errors import ConfigurationError, DeliveryDelayed, DeliveryRefused
from hilum.hl7.er7 import encoded, header, segment
from hilum.inbox.heard import file_of
from hilum.records.states import DeliveryState
from hilum.results import HL7, Result
from hilum.transport.mllp import Frames
from tests.certificates import SelfSigned
from tests.core.test_outbox import Desk
from tests.mllp_receiver import ACCEPTS, HANGS_UP, SILENT, Receiver, receiving
from tests.patience import PATIENCE

WORDS = "|Roe Jane is unknown\rERR||PID^1^3|204^Unknown key identifier^HL70357|E||||Roe Jane"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver()) as running:
        yield running


def destination(receiver: Receiver, **more: Any) -> MllpDestination:
    return MllpDestination(settings(receiver, **more))


def settings(receiver: Receiver, **more: Any) -> MllpDestinationSettings:
    values = {"name": "ris", "port": receiver.port, "timeout_seconds": PATIENCE, **more}
    return MllpDestinationSettings(**values)


def message(folder: Path, name: str) -> Result:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.hl7"
    first = header({3: "HILUM", 9: ("ORU", "R01", "ORU_R01"), 10: name, 11: "P", 12: "2.5.1"})
    path.write_bytes(encoded([first, segment("PID", {3: ("4711",), 5: ("Roe", "Jane")})]))
    return Result("oru", HL7, derived_uid("test", name), path, "1.2", "w-1")


def test_each_message_is_taken_by_its_own_answer(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers_another = True  # a late answer to what another one sent, and noise, before it
    place, results = destination(receiver), [message(tmp_path, name) for name in "ab"]
    assert place.is_reachable() and all(one.good for one in place.check())
    assert not receiver.came, "a call sends nothing"
    assert list(place.send(results)) == [Answer(one, Acceptance.TAKEN) for one in results]
    assert receiver.came == [one.path.read_bytes() for one in results]
    assert place.filing("1.2") is None


@pytest.mark.parametrize("verdict", ["AA", "CA"])
@pytest.mark.parametrize("enhanced", [True, False])
def test_both_modes_say_that_it_is_taken(
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verdict: str,
    enhanced: bool,
) -> None:
    monkeypatch.setattr(mllp, "APPLICATION_SECONDS", 0.05)
    receiver.answers = [(verdict, "")]
    [answer] = destination(receiver, enhanced=enhanced).send([message(tmp_path, "a")])
    assert answer.acceptance is Acceptance.TAKEN


@pytest.mark.parametrize(
    ("application", "acceptance"),
    [("AA", Acceptance.TAKEN), ("AE", Acceptance.LATER), ("AR", Acceptance.NEVER)],
)
def test_what_the_application_says_after_the_transport_counts(
    receiver: Receiver, tmp_path: Path, application: str, acceptance: Acceptance
) -> None:
    receiver.answers, receiver.afterwards = [("CA", "")], application
    [answer, *_] = destination(receiver).send([message(tmp_path, "a")])
    assert answer.acceptance is acceptance


@pytest.mark.parametrize("end", [b"\x1c", b"\x1c\n", b"\x1c\r\n"])
def test_an_answer_may_leave_out_how_it_should_end(
    receiver: Receiver, tmp_path: Path, end: bytes
) -> None:
    receiver.end = end
    results = [message(tmp_path, name) for name in "ab"]
    assert [one.acceptance for one in destination(receiver).send(results)] == [Acceptance.TAKEN] * 2


WHOLE = st.lists(st.binary().filter(lambda one: not {0x0B, 0x1C} & set(one)), max_size=4)


@given(WHOLE, st.lists(st.integers(0, 60)), st.sampled_from([b"\x1c\r", b"\x1c", b"\x1c\r\n"]))
def test_messages_are_found_however_they_come_apart(
    sent: list[bytes], cuts: list[int], end: bytes
) -> None:
    stream = b"".join(b"\x0b" + one + end for one in sent)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    frames, found = Frames(), []
    for start, stop in pairwise(places):
        frames.add(stream[start:stop])
        while (one := frames.next()) is not None:
            found.append(one)
    assert found == sent and not frames.has_begun


@pytest.mark.parametrize(
    ("verdict", "acceptance"),
    [
        ("AE", Acceptance.LATER),
        ("CE", Acceptance.LATER),
        ("AR", Acceptance.NEVER),
        ("CR", Acceptance.NEVER),
    ],
)
def test_what_is_not_taken_holds_back_what_follows(
    receiver: Receiver, tmp_path: Path, verdict: str, acceptance: Acceptance
) -> None:
    receiver.answers = [(verdict, WORDS), ACCEPTS]
    results = [message(tmp_path, name) for name in "ab"]
    answers = list(destination(receiver).send(results))
    assert [answer.acceptance for answer in answers] == [acceptance] * 2
    assert len(receiver.came) == 1
    assert (
        f"{verdict}: it does not know this patient, order or other key, at PID-3" in answers[0].text
    )
    assert "Roe" not in answers[0].text and "Roe Jane is unknown" in answers[0].comment


@pytest.mark.parametrize("silence", [SILENT, HANGS_UP])
def test_without_an_answer_nobody_knows(
    receiver: Receiver, tmp_path: Path, silence: tuple[str, str]
) -> None:
    receiver.answers = [silence]
    place = destination(receiver, timeout_seconds=0.2)
    sending = place.send([message(tmp_path, name) for name in "ab"])
    assert next(sending).acceptance is Acceptance.UNKNOWN
    with pytest.raises(DeliveryDelayed, match="answer"):
        next(sending)
    assert len(receiver.came) == 1


def test_one_that_is_down_is_tried_later(receiver: Receiver, tmp_path: Path) -> None:
    with receiving(Receiver()) as other:
        pass
    place = destination(other)
    assert not place.is_reachable() and not any(one.good for one in place.check())
    with pytest.raises(DeliveryDelayed, match="does not answer"):
        list(place.send([message(tmp_path, "a")]))


def test_only_messages_are_sent_there(receiver: Receiver) -> None:
    with pytest.raises(ConfigurationError, match="which kind 'mllp' does not take"):
        settings(receiver, objects=("sr",)).check()


def test_tls_is_mutual(tmp_path: Path) -> None:
    ours = SelfSigned.make(tmp_path)
    context = ours.context
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ours.certificate)
    both = {"certificate_file": ours.certificate, "key_file": ours.key}
    with receiving(Receiver(), context) as receiver:
        sent = message(tmp_path, "a")
        place = destination(receiver, tls={"ca_file": ours.certificate, **both})
        [answer] = place.send([sent])
        assert answer.acceptance is Acceptance.TAKEN and place.is_reachable()
        with pytest.raises(DeliveryRefused, match="not trusted"):
            list(destination(receiver, tls=both).send([sent]))
        nameless = destination(receiver, tls={"ca_file": ours.certificate})
        [checked] = nameless.check()
        assert not checked.good and "wants a certificate of ours" in checked.text
        with pytest.raises(DeliveryRefused, match="wants a certificate of ours"):
            list(nameless.send([sent]))


# Through the outbox -------------------------------------------------------------------------------


class Office(Desk):
    """An outbox that owes messages to "ris"."""

    def __init__(self, folder: Path, receiver: Receiver, **more: Any) -> None:
        super().__init__(folder, settings(receiver, **more))

    def owe_message(self, name: str) -> bytes:
        """A workitem with one message, of the same study as all others; the message."""
        result = message(self.folder / "results", name)
        self.owe_file(name, result)
        return result.path.read_bytes()

    def how(self, name: str) -> DeliveryState:
        return self.records.deliveries.one(name, "ris").state


@pytest.fixture
def office(tmp_path: Path, receiver: Receiver) -> Iterator[Office]:
    made = Office(tmp_path, receiver)
    yield made
    made.records.close()


def test_down_for_the_whole_run_and_back(tmp_path: Path) -> None:
    receiver = Receiver()
    with receiving(receiver):
        pass
    (tmp_path / "other").mkdir()
    gone = Office(tmp_path / "other", receiver)
    sent = [gone.owe_message(name) for name in ("first", "second", "third")]
    for _ in range(3):
        gone.turn()
    assert not receiver.came
    with receiving(receiver):
        while "delivering" in map(gone.state, ("first", "second", "third")):
            gone.turn()
    assert receiver.came == sent, "each once, in the order in which they were made"
    assert gone.how("third") is DeliveryState.ACCEPTED
    assert "not proven" in gone.records.workitems.one("third").reason
    gone.records.close()


def test_what_had_no_answer_is_sent_again_with_the_same_bytes_and_nothing_overtakes(
    office: Office, receiver: Receiver
) -> None:
    receiver.answers = [HANGS_UP, ACCEPTS]
    first = office.owe_message("first")
    office.turn()
    correction = office.owe_message("correction")
    office.outbox.deliver_next(office.site.destination[0])
    assert receiver.came == [first], "the correction waits until the first one is taken"
    while "delivering" in map(office.state, ("first", "correction")):
        office.turn()
    assert receiver.came == [first, first, correction]
    assert list(receiver.kept.values()) == [first, correction], "who knows MSH-10 has each once"


def test_an_error_is_repeated_a_few_times_and_then_parked(
    office: Office, receiver: Receiver
) -> None:
    receiver.answers = [("AE", WORDS)]
    office.owe_message("first")
    while office.state("first") == "delivering":
        office.turn()
    assert len(receiver.came) == MOST_ERRORS and len(set(receiver.came)) == 1
    assert office.how("first") is DeliveryState.REFUSED
    parked = office.records.deliveries.one("first", "ris").reason
    assert f"it was sent {MOST_ERRORS} times" in parked


def test_a_rejection_is_parked_and_its_words_are_for_the_owner_alone(
    office: Office, receiver: Receiver
) -> None:
    receiver.answers = [("AR", WORDS), ACCEPTS]
    office.owe_message("first")
    office.turn()
    assert office.how("first") is DeliveryState.REFUSED
    parked = office.records.deliveries.one("first", "ris").reason
    assert "204" not in parked and "at PID-3" in parked and "Roe" not in parked
    kept = file_of(office.folder, "1.2", "first", "ris")
    assert "Roe Jane is unknown" in kept.read_text() and kept.stat().st_mode & 0o077 == 0
    item = office.records.workitems.one("first")
    assert office.records.moves.release(item, ["ris"], "released", office.now)
    office.turn()
    assert office.how("first") is DeliveryState.ACCEPTED, "the cure cures"
