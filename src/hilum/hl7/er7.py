"""HL7 version 2 messages as text (2.5.1, chapter 2): segments, fields, components, escapes.

Positions count from 1, as in the standard: `PID-5.1` is component 1 of field 5.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hilum.errors import MessageError

FIELD, COMPONENT, REPETITION, ESCAPE, SUBCOMPONENT = "|^~\\&"
END = "\r"  # of a segment
UTF_8 = "UNICODE UTF-8"  # as MSH-18 names it (table 0211)
CHARACTER_SETS = {  # of MSH-18, by what Python calls them
    "": "utf-8",
    "ASCII": "utf-8",  # many who state it send UTF-8 all the same
    UTF_8: "utf-8",
    "UNICODE": "utf-8",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
}
FALLBACK = "iso8859-1"  # of what states nothing and is no UTF-8
MOST_SEGMENTS = 1000  # of a message that is read

Subcomponents = tuple[str, ...]
Components = tuple[str | Subcomponents, ...]
Value = str | Components | Sequence[str | Components]  # a list holds repetitions

_ESCAPES = {FIELD: "F", COMPONENT: "S", SUBCOMPONENT: "T", REPETITION: "R", ESCAPE: "E"}
_SPECIAL = re.compile(r"[|^~\\&\x00-\x1f\x7f]")


def escaped(text: str) -> str:
    """`text` as it stands in a field: delimiters and control characters become escapes."""
    return _SPECIAL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    letter = _ESCAPES.get(character, f"X{ord(character):02X}")
    return f"{ESCAPE}{letter}{ESCAPE}"


def segment(name: str, fields: Mapping[int, Value]) -> str:
    """A segment with `fields` by position, without its end; nothing stands after the last one."""
    given = {position: _written(value) for position, value in fields.items()}
    last = max((position for position, text in given.items() if text), default=0)
    return FIELD.join([name, *(given.get(position, "") for position in range(1, last + 1))])


def header(fields: Mapping[int, Value]) -> str:
    """The MSH segment with `fields` from MSH-3 on: its first field is the delimiter itself."""
    delimiters = f"{COMPONENT}{REPETITION}{ESCAPE}{SUBCOMPONENT}"
    rest = segment("", {position - 2: value for position, value in fields.items()})
    return f"MSH{FIELD}{delimiters}{rest}"


def encoded(segments: Sequence[str]) -> bytes:
    """A message of `segments`, in UTF-8; what UTF-8 cannot hold becomes a question mark."""
    return "".join(f"{one}{END}" for one in segments).encode(errors="replace")


def _written(value: Value) -> str:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, tuple):
        parts = (_components(part) for part in value)
        return COMPONENT.join(parts).rstrip(COMPONENT)
    return REPETITION.join(map(_written, value))


def _components(part: str | Subcomponents) -> str:
    if isinstance(part, str):
        return escaped(part)
    return SUBCOMPONENT.join(map(escaped, part)).rstrip(SUBCOMPONENT)


# Reading ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Delimiters:
    """The characters by which a message is divided, as its MSH states them."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    encoding: str = "utf-8"  # of the message, which escapes in hexadecimal are in, too

    def unescaped(self, text: str) -> str:
        """The text that a field means; an escape that is not known stands for nothing."""
        if not self.escape or self.escape not in text:
            return text
        mark = re.escape(self.escape)
        return re.sub(f"{mark}([^{mark}]*){mark}", self._meaning, text)

    def _meaning(self, found: re.Match[str]) -> str:
        what = found[1]
        plain = {
            "F": self.field,
            "S": self.component,
            "T": self.subcomponent,
            "R": self.repetition,
            "E": self.escape,
        }
        if what in plain:
            return plain[what]
        if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", what):
            return bytes.fromhex(what[1:]).decode(self.encoding, errors="replace")
        return "\n" if what.startswith(".br") else ""


@dataclass(frozen=True)
class MessageSegment:
    """One segment; `fields` are as they were sent, the first is the name."""

    fields: tuple[str, ...]
    delimiters: Delimiters

    @property
    def name(self) -> str:
        return self.fields[0]

    def repetitions(self, position: int) -> list[tuple[str, ...]]:
        """The repetitions of a field as their components; [] where it is empty or absent."""
        if position >= len(self.fields) or not self.fields[position]:
            return []
        raw = _split(self.fields[position], self.delimiters.repetition)
        return [tuple(_split(one, self.delimiters.component)) for one in raw]

    def text(self, position: int, component: int = 1, subcomponent: int = 1) -> str:
        """A part of the first repetition of a field, "" where it is absent."""
        first = next(iter(self.repetitions(position)), ())
        return self.part(first, component, subcomponent)

    def part(self, components: Sequence[str], component: int, subcomponent: int = 1) -> str:
        """A part of a repetition, unescaped; '""', which deletes a value, is "" too."""
        if component > len(components):
            return ""
        raw = _split(components[component - 1], self.delimiters.subcomponent)
        found = raw[subcomponent - 1] if subcomponent <= len(raw) else ""
        return "" if found == '""' else self.delimiters.unescaped(found).strip()


@dataclass(frozen=True)
class ReceivedMessage:
    """A message that was received."""

    segments: tuple[MessageSegment, ...]

    @classmethod
    def of(cls, content: bytes, any_characters: bool = False) -> "ReceivedMessage":
        """Read a message.

        With `any_characters` a wrong character set is no error: what is ASCII can be read anyway.

        Raises
        ------
        MessageError
            It is no HL7 message, or states a character set that is not known.
        """
        text, encoding = _decoded(content, any_characters)
        if len(text) < 8 or not text.startswith("MSH"):
            raise MessageError("a message begins with the segment MSH")
        field, rest = text[3], text[4:].split(text[3], 1)[0]
        component, repetition, escape, subcomponent = (*rest[:4], "", "", "", "")[:4]
        characters = (field, component, repetition, escape, subcomponent)
        named = [character for character in characters if character]
        if not component or any(c.isalnum() or c in "\r\n" for c in named):
            raise MessageError("MSH-1 and MSH-2 name the delimiters, such as |^~\\&")
        if len(set(named)) < len(named):
            raise MessageError("MSH-1 and MSH-2 name a delimiter twice")
        lines = [line for line in re.split(r"\r\n|\r|\n", text) if line]
        if len(lines) > MOST_SEGMENTS:
            raise MessageError(f"it has more than {MOST_SEGMENTS} segments")
        delimiters = Delimiters(*characters, encoding)
        return cls(tuple(MessageSegment(_fields(line, field), delimiters) for line in lines))

    @property
    def header(self) -> MessageSegment:
        return self.segments[0]

    @property
    def control_id(self) -> str:
        """MSH-10, by which an answer names it."""
        return self.header.text(10)

    def first(self, name: str) -> MessageSegment | None:
        """Its first segment of that name."""
        return next((one for one in self.segments if one.name == name), None)


def _fields(line: str, delimiter: str) -> tuple[str, ...]:
    """The fields of a segment; those of MSH count from the delimiter itself."""
    name, *fields = line.split(delimiter)
    return (name, delimiter, *fields) if name == "MSH" else (name, *fields)


def _split(text: str, delimiter: str) -> list[str]:
    return text.split(delimiter) if delimiter else [text]


def _decoded(content: bytes, any_characters: bool) -> tuple[str, str]:
    """Its text by the character set that MSH-18 states, and what Python calls that."""
    line = re.split(rb"[\r\n]", content, maxsplit=1)[0].decode("ascii", errors="replace")
    fields = line.split(line[3:4]) if len(line) > 3 else []
    stated = fields[17].split("~")[0].strip() if len(fields) > 17 else ""
    if stated.upper() not in CHARACTER_SETS and not any_characters:
        known = ", ".join(filter(None, CHARACTER_SETS))
        raise MessageError(f"MSH-18 states a character set that is not known; known: {known}")
    encoding = CHARACTER_SETS.get(stated.upper(), FALLBACK)
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError as error:
        if stated and not any_characters:
            raise MessageError("its bytes are not in the character set of MSH-18") from error
        return content.decode(FALLBACK), FALLBACK
