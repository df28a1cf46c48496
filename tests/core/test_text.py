"""Names are read as they were meant where that can be known, and never guessed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import convert_encodings

from factory import mr_slices
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import as_file
from hilum.dicom.text import CharacterSet, character_set, cleaned, declared_terms, is_valid

MUELLER = "Müller^Jürgen"
UTF_8, LATIN_1 = ("ISO_IR 192",), ("ISO_IR 100",)


@pytest.mark.parametrize(
    ("declared", "terms"),
    [
        ("", ()),
        ("ISO_IR 100", LATIN_1),
        ("ISO_IR 100 ", LATIN_1),
        ("ISO-IR 100", LATIN_1),
        ("ISO_IR100", LATIN_1),
        ("iso ir 100", LATIN_1),
        ("ISO IR_100", LATIN_1),
        ("ISO8859-1", LATIN_1),
        ("ISO_8859-5", ("ISO_IR 144",)),
        ("LATIN-1", LATIN_1),
        ("UTF-8", UTF_8),
        ("utf8", UTF_8),
        ("ISO_IR_192", UTF_8),
        ("ISO 2022 IR 192", UTF_8),
        ("ISO_IR 6", ()),
        ("US-ASCII", ()),
        ("GB18030", ("GB18030",)),
        ("ISO 2022 IR 100", ("ISO 2022 IR 100",)),
        ("ISO2022IR 87", ("ISO 2022 IR 87",)),
        ("\\ISO 2022 IR 87", ("", "ISO 2022 IR 87")),
        ("\\ISO_2022_IR_87", ("", "ISO 2022 IR 87")),
        ("ISO_IR 100\\ISO-2022-IR-144", ("ISO 2022 IR 100", "ISO 2022 IR 144")),
        ("ISO_IR 192\\ISO 2022 IR 87", UTF_8),
        ("ISO_IR 999", None),
        ("WINDOWS-1252", None),
        ("\xff\xfe", None),
    ],
)
def test_typing_errors_are_corrected(declared: str, terms: tuple[str, ...] | None) -> None:
    assert declared_terms(declared.encode("latin-1")) == terms
    if terms:
        convert_encodings(list(terms))  # known to pydicom as they are: it warns of what it corrects


@pytest.mark.parametrize(
    ("declared", "text", "expected"),
    [
        ("ISO_IR 100", MUELLER.encode("latin-1"), CharacterSet(LATIN_1)),
        ("ISO-IR 100", MUELLER.encode("latin-1"), CharacterSet(LATIN_1)),
        ("", MUELLER.encode("utf-8"), CharacterSet(UTF_8)),
        ("ISO_IR 999", MUELLER.encode("utf-8"), CharacterSet(UTF_8)),
        ("UTF-8", MUELLER.encode("utf-8"), CharacterSet(UTF_8)),
        ("", MUELLER.encode("latin-1"), CharacterSet(LATIN_1, is_assumed=True)),
        ("ISO_IR 192", MUELLER.encode("latin-1"), CharacterSet(LATIN_1, is_assumed=True)),
        ("", "Петров^Иван".encode("cp1251"), CharacterSet(LATIN_1, is_assumed=True)),
        ("ISO_IR 144", "Петров^Иван".encode("iso8859_5"), CharacterSet(("ISO_IR 144",))),
        ("ISO_IR 999", b"Roe^Jane", CharacterSet(())),
        ("", b"Roe^Jane", CharacterSet(())),
        ("ISO_IR 100", b"Yamada\x1b$B;3ED", CharacterSet(LATIN_1, is_assumed=True)),
        (
            "\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            CharacterSet(("", "ISO 2022 IR 87")),
        ),
    ],
)
def test_bytes_are_read_by_what_they_are(declared: str, text: bytes, expected: object) -> None:
    assert character_set(declared.encode(), [b"plain", text]) == expected


@given(st.binary(max_size=40), st.lists(st.binary(max_size=30), max_size=3))
def test_whatever_is_declared_all_bytes_are_read_and_kept(
    declared: bytes, texts: list[bytes]
) -> None:
    read = character_set(declared, texts)
    for text in texts:
        if read.is_assumed:
            assert text.decode(read.encodings[0]).encode("latin-1") == text
        elif b"\x1b" not in text:
            assert "\ufffd" not in text.decode(read.encodings[0]) or b"\xef\xbf\xbd" in text


@pytest.mark.parametrize("declared", ["", "UTF-8", "ISO_IR 999", "ISO-IR 192"])
def test_a_name_in_utf_8_is_read_whatever_was_declared(declared: str, tmp_path: Path) -> None:
    ds = mr_slices(count=1, patient="Mu:ller^Ju:rgen")[0]
    ds.SpecificCharacterSet = "ISO_IR 100"
    content = as_file(ds).replace(b"u:", "ü".encode())
    content = content.replace(b"ISO_IR 100", declared.ljust(10).encode())
    path = tmp_path / "image.dcm"
    path.write_bytes(content)
    image = Instance.read(path)
    assert image.header.PatientName == MUELLER
    assert image.header.SpecificCharacterSet == "ISO_IR 192"
    assert image.patient == Instance.read(written(ds, tmp_path)).patient


def written(ds: object, folder: Path) -> Path:
    ds.PatientName = MUELLER  # type: ignore[attr-defined]
    path = folder / "clean.dcm"
    path.write_bytes(as_file(ds))  # type: ignore[arg-type]
    return path


VRS = ("LO", "SH", "PN", "DA", "TM", "AS", "DS", "CS")


@given(st.sampled_from(VRS), st.lists(st.text(max_size=100), max_size=3))
def test_what_was_cleaned_is_valid(vr: str, values: list[str]) -> None:
    usable = cleaned(vr, values)
    assert is_valid(vr, usable)
    assert usable.isprintable()
    assert "\\" not in usable


def test_cleaning_keeps_the_words() -> None:
    assert cleaned("LO", ["Head\r\nwith\x07 contrast"]) == "Head with contrast"
    assert cleaned("LO", ["Head", "Neck"]) == "Head, Neck"
    assert cleaned("LO", ["x" * 70]) == "x" * 64
    assert cleaned("DS", ["seventy", " 70 "]) == "70"
    assert cleaned("PN", ["Doe^John^^^Dr^PhD=a=b=c"]) == "Doe^John^^^Dr=a=b"
