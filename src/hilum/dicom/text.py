"""Text as it is received: by which characters its bytes are read, and what of it can be written.

Scanners misspell the character set, leave it out, or declare one and write another. What was
received is never changed; this is how it is read, and what results say of it.
"""

import re
import warnings
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pydicom import config
from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.valuerep import TEXT_VR_DELIMS, validate_value

from hilum.wording import printable

UTF_8, LATIN_1 = "ISO_IR 192", "ISO_IR 100"
ALONE = (UTF_8, "GB18030", "GBK")  # PS3.3 C.12.1.1.2: never with code extensions
DELIMITERS = TEXT_VR_DELIMS | {ord(c) for c in "\\^="}
ESCAPE = b"\x1b"
OF_ISO_8859 = {1: 100, 2: 101, 3: 109, 4: 110, 5: 144, 7: 126, 6: 127, 8: 138, 9: 148}
OTHER_NAMES = {
    "UTF8": UTF_8,
    "UNICODE": UTF_8,
    "LATIN1": LATIN_1,
    "ASCII": "",
    "USASCII": "",
    "ISOIR6": "",
    "GB18030": "GB18030",
    "GBK": "GBK",
}
LONGEST = {"SH": 16, "LO": 64, "PN": 64}  # characters (PS3.5 6.2), of a name in each group
MOST_GROUPS, MOST_COMPONENTS = 3, 5  # of a name


@dataclass(frozen=True)
class CharacterSet:
    """The defined terms by which texts are read (PS3.3 C.12.1.1.2), () for the default.

    `is_assumed`: the texts fit neither what was declared nor UTF-8. They are read byte by byte as
    ISO_IR 100, so that a result holds the same bytes; what they mean is not known.
    """

    terms: tuple[str, ...]
    is_assumed: bool = False

    @cached_property
    def encodings(self) -> tuple[str, ...]:
        """The names of the encodings in Python."""
        return _encodings(self.terms)


def character_set(declared: bytes, texts: Iterable[bytes]) -> CharacterSet:
    """The character set for `texts` whose object states `declared` as its character set.

    It is the declared one, after typing errors were corrected, if it fits all texts. Else UTF-8, if
    they are valid in it, which other encodings hardly ever are by chance.
    """
    terms = declared_terms(declared)
    odd = [text for text in texts if ESCAPE in text or not text.isascii()]
    if not odd:
        return CharacterSet(terms or ())
    if terms and _can_all_be_read(odd, terms):
        return CharacterSet(terms)
    if _are_utf_8(odd):
        return CharacterSet((UTF_8,))
    return CharacterSet((LATIN_1,), is_assumed=True)


def _are_utf_8(texts: Collection[bytes]) -> bool:
    has_escape = any(ESCAPE in text for text in texts)  # to a set of ISO 2022
    return not has_escape and _can_all_be_read(texts, (UTF_8,))


@lru_cache(maxsize=256)
def declared_terms(declared: bytes) -> tuple[str, ...] | None:
    """The defined terms that `declared` means; () for the default, None where there is no telling.

    "ISO-IR 100", "iso_ir100" and "UTF-8" are typing errors; an unknown name is not corrected.
    """
    stated = declared.decode("ascii", "replace").strip("\0 ")
    names = [_term(name, alone="\\" not in stated) for name in stated.split("\\")]
    terms = [name for name in names if name is not None]
    if len(terms) < len(names):
        return None
    alone = [term for term in terms if term in ALONE]
    if alone:
        return (alone[0],)
    return tuple(terms) if any(terms) else ()


def _term(name: str, alone: bool) -> str | None:
    letters = re.sub(r"[^A-Z0-9]", "", name.upper())
    if letters in OTHER_NAMES:
        return OTHER_NAMES[letters]
    if not letters:
        return None if name.strip() else ""
    if match := re.fullmatch(r"(?:ISO)?8859(\d)", letters):
        number = OF_ISO_8859.get(int(match[1]))
        letters = f"ISOIR{number}"
    if match := re.fullmatch(r"ISO(2022)?IR(\d+)", letters):
        term = f"ISO_IR {match[2]}" if alone and not match[1] else f"ISO 2022 IR {match[2]}"
        term = UTF_8 if match[2] == "192" else term
        return term if term in python_encoding else None
    return None


def _can_all_be_read(texts: Iterable[bytes], terms: tuple[str, ...]) -> bool:
    return all(_can_be_read(text, terms) for text in texts)


def _can_be_read(text: bytes, terms: tuple[str, ...]) -> bool:
    """Whether no byte of `text` is without meaning; pydicom puts something else in its place."""
    if ESCAPE not in text:  # by far the most texts; pydicom reads them no otherwise
        try:
            text.decode(_encodings(terms)[0])
        except UnicodeError:
            return False
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = decode_bytes(text, _encodings(terms), DELIMITERS)
    return "\ufffd" not in read and "\x1b" not in read


@lru_cache(maxsize=256)
def _encodings(terms: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(convert_encodings(list(terms) if terms else None))


def is_valid(vr: str, value: str) -> bool:
    """Whether `value` obeys its value representation (PS3.5 6.2)."""
    try:
        validate_value(vr, value, config.RAISE)
    except ValueError:
        return False
    return True


def cleaned(vr: str, values: Sequence[str]) -> str:
    """One valid value made of a broken one that identifies nobody; "" if there is none.

    Text keeps its words, in one line and as many characters as fit; several values become one.
    """
    values = [value for value in (_one_line(value) for value in values) if value]
    if vr == "PN":
        return _name(values[0]) if values else ""
    if vr in LONGEST:
        return ", ".join(values).replace("\\", "/")[: LONGEST[vr]].rstrip()
    return next((value for value in values if is_valid(vr, value)), "")


def _name(value: str) -> str:
    groups = value.replace("\\", "/").split("=")[:MOST_GROUPS]
    parts = ("^".join(group.split("^")[:MOST_COMPONENTS])[: LONGEST["PN"]] for group in groups)
    return "=".join(parts).rstrip("=^ ")


def _one_line(text: str) -> str:
    return " ".join(printable(text).split())
