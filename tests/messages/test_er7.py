"""Messages as text: any text comes back as it was, here and in another program."""

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.errors import MessageError
from hilum.hl7.answers import FIELD_MISSING, Acknowledgement, MessageAnswer, write_answer
from hilum.hl7.er7 import ReceivedMessage, encoded, header, segment

HEADER = header({3: "A", 9: ("ACK",), 10: "7", 11: "P", 12: "2.5.1", 18: "UNICODE UTF-8"})
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def read(*segments: str) -> ReceivedMessage:
    return ReceivedMessage.of(encoded([HEADER, *segments]))


@given(TEXTS)
def test_any_text_comes_back(text: str) -> None:
    message = read(segment("OBX", {5: text, 6: (text, (text, text)), 7: [(text,), "x"]}))
    said = message.first("OBX")
    assert said is not None and len(message.segments) == 2
    found = (said.text(5), said.text(6, 2, 2), said.text(7))
    assert all(one == text.strip() or text == '""' for one in found)
    if text:
        assert said.repetitions(7)[1] == ("x",)


@given(TEXTS.filter(lambda text: text.isprintable()))
def test_another_program_reads_the_same_text(text: str) -> None:
    parsed = hl7.parse(encoded([HEADER, segment("OBX", {5: (text, "x")})]).decode())
    field = parsed.segment("OBX")(5)
    assert parsed.unescape(str(field[0][0])) == text


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for sent in (content, b"MSH" + content, b"MSH|^~\\&|" + content):
        try:
            message = ReceivedMessage.of(sent)
        except MessageError:
            continue
        for one in message.segments:
            for position in range(1, len(one.fields) + 1):
                one.text(position, 2, 2)
        MessageAnswer.read(message)


def test_other_delimiters_and_character_sets_are_read() -> None:
    sent = "MSH#*!%+#A##B##1##ADT*A08#9#P#2.3######8859/1\rPID###7***H+1+X!8***H#\rZZZ\r"
    message = ReceivedMessage.of(sent.encode("latin-1") + "NK1##Müller\r".encode("latin-1"))
    pid = message.first("PID")
    assert pid is not None
    assert message.header.text(9, 2) == "A08" and message.control_id == "9"
    assert (pid.text(3), pid.text(3, 4, 2), pid.text(5)) == ("7", "1", "")
    assert pid.repetitions(3)[1] == ("8", "", "", "H")
    assert message.segments[-1].text(2) == "Müller"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "begins with the segment MSH"),
        (b"PID|1", "begins with the segment MSH"),
        (b"MSH|^^\\&|A|", "names? a delimiter twice|name a delimiter twice"),
        (b"MSHabcdefgh", "name the delimiters"),
        (b"MSH|^~\\&|A|||||||||||||||KLINGON\r", "character set that is not known"),
        (b"MSH|^~\\&|A|||||||||||||||UNICODE UTF-8\rPID|\xff\r", "not in the character set"),
        (b"MSH|^~\\&|A\r" + b"Z\r" * 1001, "more than 1000 segments"),
    ],
)
def test_what_is_no_message_is_told(content: bytes, words: str) -> None:
    with pytest.raises(MessageError, match=words):
        ReceivedMessage.of(content)


@pytest.mark.parametrize(
    ("stated", "escaped", "text"),
    [
        ("8859/1", r"Ren\XE9\e", "Ren\u00e9e"),
        ("8859/2", r"Nov\XE1\k", "Nov\u00e1k"),
        ("8859/5", r"\XB8D2D0DD\.", "\u0418\u0432\u0430\u043d."),  # Ivan
        ("UNICODE UTF-8", r"Ren\XC3A9\e", "Ren\u00e9e"),
        ("", r"Ren\XC3A9\e", "Ren\u00e9e"),
    ],
)
def test_bytes_in_hexadecimal_are_in_the_character_set_of_the_message(
    stated: str, escaped: str, text: str
) -> None:
    sent = f"MSH|^~\\&|A|B|C|D|20260101||ADT^A08|1|P|2.5.1||||||{stated}\rPID|||{escaped}\r"
    pid = ReceivedMessage.of(sent.encode("ascii")).first("PID")
    assert pid and pid.text(3) == text


def test_what_states_no_character_set_is_read_all_the_same() -> None:
    for encoding in ("utf-8", "latin-1"):
        message = ReceivedMessage.of("MSH|^~\\&|A\rPID|||||Müller^Änne\r".encode(encoding))
        assert message.segments[1].text(5) == "Müller"


def test_an_answer_names_what_it_answers() -> None:
    asked = read("PID|1")
    answer = write_answer(
        asked, Acknowledgement.AE, "20260304101500", "9", FIELD_MISSING, "no ID", ("PID", "1", "3")
    )
    reply = MessageAnswer.read(ReceivedMessage.of(answer))
    assert reply == MessageAnswer(
        Acknowledgement.AE, "7", FIELD_MISSING, "PID-3", "no ID; a field that it needs is missing"
    )
    assert ReceivedMessage.of(answer).header.text(5) == "A"
    assert MessageAnswer.read(asked) is None


def test_the_place_of_an_error_is_no_patient_data() -> None:
    for place in ("Roe^Jane", "PID|1|Roe", "PIDX", "\x0b"):
        answered = read("MSA|AR|7|Roe Jane is unknown", segment("ERR", {2: (place, "", "Roe")}))
        reply = MessageAnswer.read(answered)
        assert reply is not None and "Roe" not in reply.place
