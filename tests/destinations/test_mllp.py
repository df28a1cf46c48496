"""HL7 messages to a receiver that answers, refuses, is silent, is down and is back."""

import ssl
from collections.abc import Iterator
from itertools import pairwise, product
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
from hilum.records.states import DeliveryState, EventKind
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


# Whatever is answered -----------------------------------------------------------------------------

NAMED = {  # what stands in MSA-2
    "the ID": lambda own: own,
    "padded": lambda own: f"  {own} ",
    "small letters": str.lower,
    "cut to 20": lambda own: own[:20],
    "with a component": lambda own: f"{own}^RIS",
}
NAMELESS = {"empty": lambda _own: "", "deleted": lambda _own: '""'}
MISNAMED = {
    "another ID": lambda _own: "A17",
    "a part of it": lambda own: own[:10],
    "more than it": lambda own: f"{own}1",
}
WRITTEN = {  # how an answer with those MSA-1 and MSA-2 is written
    "as usual": lambda code, own: f"MSH|^~\\&|RIS||||2026||ACK|A1|P|2.5.1\rMSA|{code}|{own}\r",
    "no MSH-10": lambda code, own: f"MSH|^~\\&|RIS||||||ACK\rMSA|{code}|{own}\r",
    "MSH and no more": lambda code, own: f"MSH|^~\\&\rMSA|{code}|{own}",
    "lines": lambda code, own: f"MSH|^~\\&|RIS||||||ACK\nMSA|{code}|{own}\n",
    "MSA last": lambda code, own: f"MSH|^~\\&|RIS\rZZZ|1\rMSA|{code}|{own}\r",
    "other delimiters": lambda code, own: f"MSH$%~\\&$RIS\rMSA${code}${own.replace('^', '%')}\r",
    "another version": lambda code, own: f"MSH|^~\\&|||||||ACK||P|2.1\rMSA|{code}|{own}\r",
    "an unknown character set": lambda code, own: (
        f"MSH|^~\\&||||||||||P|2.5|||||| ISO-8859-1\rMSA|{code}|{own}|gel\xf6scht\r"
    ),
    "another than it states": lambda code, own: (
        f"MSH|^~\\&||||||||||P|2.5||||||UNICODE UTF-8\rMSA|{code}|{own}|gel\xf6scht\r"
    ),
}
VERDICTS = {
    "AA": Acceptance.TAKEN,
    "CA": Acceptance.TAKEN,
    "aa": Acceptance.TAKEN,
    "AE": Acceptance.LATER,
    "CE": Acceptance.LATER,
    "AR": Acceptance.NEVER,
    "CR": Acceptance.NEVER,
}
OWN = "H0123456789ABCDEFGHI"  # as long as MSH-10 of ours, which has no small letters


def framed(*texts: str) -> bytes:
    return b"".join(b"\x0b" + one.encode("latin-1") + b"\x1c\r" for one in texts)


USUAL = WRITTEN["as usual"]
NO_ANSWER = {  # what says nothing of the message
    "no MSA": framed("MSH|^~\\&|RIS||||||ACK\rERR|||207\r"),
    "MSA without a code": framed(USUAL("", OWN)),
    "a code of nobody": framed(USUAL("OK", OWN)),
    "no MSH": framed(f"MSA|AA|{OWN}\r"),
    "nothing": framed(""),
    "XML": framed(f"<ACK><MSA><MSA.1>AA</MSA.1><MSA.2>{OWN}</MSA.2></MSA></ACK>"),
    "UTF-16": b"\x0b" + USUAL("AA", OWN).encode("utf-16") + b"\x1c\r",
    "no frame": USUAL("AA", OWN).encode(),
    "no end": b"\x0b" + USUAL("AA", OWN).encode(),
    "a web server": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "two of others": framed(USUAL("AA", "A17"), USUAL("AA", "A18")),
    "of another, and of nobody": framed(USUAL("AA", "A17"), USUAL("AA", "")),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_an_answer_counts_however_it_is_written(
    receiver: Receiver, tmp_path: Path, written: str
) -> None:
    sent, place = message(tmp_path, OWN), destination(receiver)
    for verdict, (named, msa_2) in product(VERDICTS, (NAMED | NAMELESS | MISNAMED).items()):
        receiver.instead = lambda own, code=verdict, name=msa_2: framed(
            WRITTEN[written](code, name(own))
        )
        [answer] = place.send([sent])
        expected = Acceptance.NEVER if named in MISNAMED else VERDICTS[verdict]
        assert answer.acceptance is expected, (verdict, named)
        is_said = "names no message" in answer.text
        assert is_said == (named in NAMELESS and expected is Acceptance.TAKEN), (verdict, named)


@pytest.mark.parametrize("first", VERDICTS)
def test_of_several_answers_the_first_to_it_counts(
    receiver: Receiver, tmp_path: Path, first: str
) -> None:
    for second, (name, other) in product(VERDICTS, product((OWN, ""), repeat=2)):
        several = framed(USUAL(first, name), USUAL(second, other))
        receiver.instead = lambda _own, said=several: said
        [answer] = destination(receiver).send([message(tmp_path, OWN)])
        counts = second if first == "CA" else first  # what the application says after the transport
        assert answer.acceptance is VERDICTS[counts], (second, name, other)


def test_what_follows_one_that_names_no_message_has_an_answer_of_its_own(
    receiver: Receiver, tmp_path: Path
) -> None:
    """Answers to the first that come late are not taken for answers to the second."""
    receiver.instead = lambda own: framed(USUAL("AA", "")) * 2 if own == "a" else b""
    sending = destination(receiver).send([message(tmp_path, name) for name in "ab"])
    assert next(sending).acceptance is Acceptance.TAKEN
    assert next(sending).acceptance is Acceptance.UNKNOWN


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


@pytest.mark.parametrize("said", NO_ANSWER.values(), ids=list(NO_ANSWER))
def test_what_is_no_answer_to_it_is_parked_and_not_sent_again(
    office: Office, receiver: Receiver, said: bytes
) -> None:
    receiver.instead = lambda _own: said
    office.owe_message(OWN)
    for _ in range(3):
        office.turn()
    assert len(receiver.came) == 1 and office.how(OWN) is DeliveryState.REFUSED
    parked = office.records.deliveries.one(OWN, "ris").reason
    assert "nobody knows whether it took the message" in parked and "`hilum release`" in parked
    assert file_of(office.folder, "1.2", OWN, "ris").exists()


def test_that_a_receiver_names_no_message_is_told(office: Office, receiver: Receiver) -> None:
    receiver.instead = lambda _own: framed(USUAL("AA", ""))
    office.owe_message("first")
    office.turn()
    assert len(receiver.came) == 1 and office.how("first") is DeliveryState.ACCEPTED
    told = office.records.events.of_kind("1.2", EventKind.WARNING)
    assert any("names no message" in one.text for one in told)


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
