"""What the answer of a STOW-RS service says of each object (PS3.18 10.5)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.answers import Acceptance
from hilum.results import DICOM, Result
from hilum.transport.dicom_json import items_of
from hilum.transport.stow import answers_in
from hilum.transport.web import Response

KINDS = ("seg", "sr", "sc", "pdf")
SENT = [Result(kind, DICOM, f"1.2.{n}", Path(kind), "1.2", "w") for n, kind in enumerate(KINDS)]
FAILED, OTHER, STORED = "00081198", "0008119A", "00081199"
REASON, WARNING = "00081197", "00081196"


def item(uid: str, tag: str = "", status: int = 0) -> dict[str, Any]:
    named = {"00081155": {"vr": "UI", "Value": [uid]}} if uid else {}
    return {**named, **({tag: {"vr": "US", "Value": [status]}} if tag else {})}


def told(status: int, warning: str = "", **sequences: list[dict[str, Any]]) -> Response:
    data_set = {tag.strip("_"): {"vr": "SQ", "Value": v} for tag, v in sequences.items()}
    content = json.dumps(data_set).encode()
    return Response(status, content, "application/dicom+json", warning)


def statuses(answer: Response) -> list[int | None]:
    answers = answers_in(answer, SENT)
    assert [one.result for one in answers] == SENT
    return [one.status for one in answers]


@given(
    st.lists(
        st.sampled_from([0, 0xB000, 0xB007, 0x0110, 0x0122, 0xA778, 0xC000]), min_size=4, max_size=4
    ),
    st.randoms(),
    st.sampled_from([200, 202, 409]),
    st.booleans(),
)
def test_each_object_has_its_own_answer(
    said: list[int], order: Any, status: int, is_xml: bool
) -> None:
    failed = [
        item(r.identity, REASON, s)
        for r, s in zip(SENT, said, strict=True)
        if s and not 0xB000 <= s <= 0xBFFF
    ]
    stored = [
        item(r.identity, WARNING if s else "", s)
        for r, s in zip(SENT, said, strict=True)
        if s == 0 or 0xB000 <= s <= 0xBFFF
    ]
    order.shuffle(failed)
    order.shuffle(stored)
    answer = told(status, **{f"_{FAILED}": failed, f"_{STORED}": stored})
    assert statuses(as_xml(answer) if is_xml else answer) == said


def as_xml(answer: Response) -> Response:
    """The same in the Native DICOM Model (PS3.19 A.1)."""

    def attributes(of: dict[str, Any]) -> str:
        return "".join(
            f'<DicomAttribute tag="{tag}" vr="{element["vr"]}">'
            + "".join(
                f'<Item number="{n}">{attributes(value)}</Item>'
                if isinstance(value, dict)
                else f'<Value number="{n}">{value}</Value>'
                for n, value in enumerate(element["Value"], 1)
            )
            + "</DicomAttribute>"
            for tag, element in of.items()
        )

    space = 'xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM"'
    data_set = attributes(json.loads(answer.content))
    content = f'<?xml version="1.0"?><NativeDicomModel {space}>{data_set}</NativeDicomModel>'
    return answer._replace(content=content.encode(), media_type="application/dicom+xml")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Response(200, b"", ""), [0, 0, 0, 0]),
        (Response(204, b"", ""), [0, 0, 0, 0]),
        (Response(409, b"", ""), [0x0110] * 4),
        (told(409, _00081198=[item("1.2.1", REASON, 0xA778)]), [0xA778] * 4),
        (told(202, _0008119A=[item("", REASON, 0x0122)]), [0x0122, None, None, None]),
        (told(202, _00081198=[item("9.9", REASON, 0xA900)]), [0xA900, None, None, None]),
        (told(200, _00081199=[item("9.9")]), [None] * 4),
        (told(200, _00081199=[item(f"9.{n}") for n in range(4)]), [0xB000] * 4),
    ],
    ids=["empty", "204", "409", "409 named", "no UID", "other UID", "one UID", "changed UIDs"],
)
def test_answers_that_name_no_object_of_ours(answer: Response, expected: list[int]) -> None:
    assert statuses(answer) == expected


@given(st.sets(st.sampled_from(range(4)), min_size=1), st.sampled_from([200, 202]), st.booleans())
def test_what_an_answer_leaves_out_beside_others_is_not_known(
    named: set[int], status: int, is_refused: bool
) -> None:
    reason = REASON if is_refused else ""
    items = [item(SENT[n].identity, reason, 0xC000) for n in sorted(named)]
    answers = answers_in(told(status, **{f"_{FAILED if is_refused else STORED}": items}), SENT)
    said = Acceptance.NEVER if is_refused else Acceptance.TAKEN
    expected = [said if n in named else Acceptance.UNKNOWN for n in range(4)]
    assert [one.acceptance for one in answers] == expected


def test_what_the_archive_itself_says_is_kept_apart() -> None:
    warning = '299 dcm4chee-arc "Patient ID 123 differs"'
    failed = item("1.2.1", REASON, 0xA778) | {"00000902": {"vr": "LO", "Value": ["Miller"]}}
    answer = told(202, warning, **{f"_{FAILED}": [failed]})
    answers = answers_in(answer, SENT)
    assert [one.acceptance for one in answers] == [
        Acceptance.UNKNOWN,
        Acceptance.NEVER,
        Acceptance.UNKNOWN,
        Acceptance.UNKNOWN,
    ]
    assert answers[1].comment == f"Miller; Warning: {warning}"
    assert not answers[0].comment
    assert "123" not in answers[1].text
    assert "Miller" not in answers[1].text
    long = answers_in(Response(409, b"x" * 10_000, "text/plain"), SENT)
    assert len(long[0].comment) == 2000


def test_matches_in_parts_of_xml_are_read() -> None:
    model = (
        b'<NativeDicomModel><DicomAttribute tag="00100010" vr="PN"><PersonName number="1">'
        b"<Alphabetic><FamilyName>Miller</FamilyName><GivenName>Ann</GivenName></Alphabetic>"
        b'</PersonName></DicomAttribute><DicomAttribute tag="00100020" vr="LO">'
        b'<Value number="1">7</Value></DicomAttribute></NativeDicomModel>'
    )
    part = b"--b\r\nContent-Type: application/dicom+xml\r\n\r\n" + model + b"\r\n"
    answer = Response(200, part * 2 + b"--b--\r\n", "multipart/related; boundary=b")
    one = {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Miller^Ann"}]},
        "00100020": {"vr": "LO", "Value": ["7"]},
    }
    assert items_of(answer) == [one, one]
    assert items_of(Response(200, b"<p>Welcome</p>", "text/html")) is None
