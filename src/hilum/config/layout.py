"""Where each statement of a settings file stands in its text, so that one can be changed alone.

The text has to be TOML that `tomllib` reads: nothing is checked here again. A statement is a table
header or a setting with its value. All the rest is comments and blank lines.
"""

import re
import tomllib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

# From the root of the file; numbers count the entries of a [[list]].
KeyPath = tuple[str | int, ...]

_STRING = (
    r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
_KEY = r"""(?:[^"'=\[\]#\n]|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')+"""
HEADER = re.compile(rf"[ \t]*(\[\[?)({_KEY})\]\]?[^\n]*\n?")
SETTING = re.compile(rf"({_KEY})=[ \t]*")
TRIVIA = re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|$)")
TOKEN = re.compile(rf"{_STRING}|#[^\n]*|[\[\]{{}},]")
PLAIN = re.compile(rf"{_STRING}|[^,\[\]{{}}#\s](?:[^,\[\]{{}}#\n]*[^,\[\]{{}}#\s])?")


@dataclass(frozen=True)
class TextSpan:
    """A part of a text, from the character `start` to before `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class Statement:
    """A table header, or a setting with the place of its `value`; `lines` ends with the newline."""

    path: KeyPath
    lines: TextSpan
    value: TextSpan | None = None


@dataclass(frozen=True)
class Block:
    """A table: its header, None for what stands before the first one, and its settings."""

    header: Statement | None
    settings: tuple[Statement, ...]

    @property
    def path(self) -> KeyPath:
        """The path of the table."""
        return self.header.path if self.header else ()

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The header, if there is one, and the settings."""
        return ((self.header,) if self.header else ()) + self.settings


class Layout:
    """Where everything stands in `text`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.blocks = tuple(_blocks(text))

    @property
    def settings(self) -> Iterator[Statement]:
        """Every setting, in the order of the text."""
        return (setting for block in self.blocks for setting in block.settings)

    def below(self, path: KeyPath) -> list[Statement]:
        """The settings of the table at `path` and of those in it; `path` itself if it is one."""
        return [one for one in self.settings if one.path[: len(path)] == path]

    def tables(self, path: KeyPath) -> list[Block]:
        """The tables at and below `path` that have a header."""
        return [b for b in self.blocks if b.header and b.path[: len(path)] == path]

    def lead(self, block: Block) -> int:
        """Where `block` begins: with the comments that touch its header from above."""
        if block.header is None:
            return 0
        start = block.header.lines.start
        while (above := self._line_before(start)) is not None and self._is_comment(above):
            start = above.start
        return start

    def tail(self, block: Block) -> int:
        """Where `block` ends: with the comments up to the first blank line after its last setting.

        Comments that touch the next header belong to that one.
        """
        last = block.statements[-1].lines.end if block.statements else 0
        end, limit = last, self._limit(last)
        while end < limit and self._is_comment(line := self._line_at(end)):
            end = line.end
        return last if end == limit < len(self.text) else end

    def commented_default(self, block: Block, key: str) -> int | None:
        """Where a new `key` of `block` fits best: after the comment that shows its default."""
        shown = re.compile(rf"[ \t]*#[ \t]*{re.escape(key)}[ \t]*=")
        position, end = 0, self._limit(0)
        if block.header:
            position, end = block.header.lines.end, self.tail(block)
        while position < end:
            line = self._line_at(position)
            if shown.match(self.text, line.start):
                return line.end
            position = line.end
        return None

    def _limit(self, position: int) -> int:
        """Where the next header begins after `position`."""
        starts = [block.header.lines.start for block in self.blocks if block.header]
        return min((start for start in starts if start >= position), default=len(self.text))

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(m.end() for m in re.finditer("\n", self.text))]

    def _line_at(self, position: int) -> TextSpan:
        number = bisect_right(self._starts, position)
        ends = [*self._starts[number : number + 1], len(self.text)]
        return TextSpan(self._starts[number - 1], ends[0])

    def _line_before(self, start: int) -> TextSpan | None:
        return self._line_at(start - 1) if start > 0 else None

    def _is_comment(self, line: TextSpan) -> bool:
        inside = any(
            one.lines.start <= line.start < one.lines.end
            for b in self.blocks
            for one in b.statements
        )
        return not inside and self.text[line.start : line.end].lstrip(" \t").startswith("#")


def elements(text: str, array: TextSpan) -> list[TextSpan]:
    """Where the values of an array stand in `text`."""
    found = []
    position = array.start + 1
    while position < array.end - 1:
        if text[position] in ", \t\r\n":
            position += 1
        elif text[position] == "#":
            position = text.index("\n", position)
        else:
            found.append(value_at(text, position))
            position = found[-1].end
    return found


def with_comma(text: str, element: TextSpan, array: TextSpan) -> TextSpan:
    """An element with the comma and the blanks after it, if there are any."""
    for token in TOKEN.finditer(text, element.end, array.end):
        if token.group() == ",":
            blanks = re.compile(r"[ \t]*").match(text, token.end())
            return TextSpan(element.start, blanks.end() if blanks else token.end())
        if not token.group().startswith("#"):
            break
    return element


def value_at(text: str, start: int) -> TextSpan:
    """Where the value ends that begins at `start`."""
    if text[start] not in "[{":
        plain = PLAIN.match(text, start)
        assert plain is not None, "the text is TOML"
        return TextSpan(start, plain.end())
    depth = 0
    for token in TOKEN.finditer(text, start):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)
        if depth == 0:
            return TextSpan(start, token.end())
    raise AssertionError("the text is TOML")


def _blocks(text: str) -> Iterator[Block]:
    header: Statement | None = None
    settings: list[Statement] = []
    entries: Counter[KeyPath] = Counter()
    position = 0
    while position < len(text):
        if trivia := TRIVIA.match(text, position):
            position = max(trivia.end(), position + 1)
            continue
        if found := HEADER.match(text, position):
            yield Block(header, tuple(settings))
            path = _table_path(_names(found[2]), found[1] == "[[", entries)
            header, settings = Statement(path, TextSpan(position, found.end())), []
            position = found.end()
            continue
        settings.append(_setting(text, position, header.path if header else ()))
        position = settings[-1].lines.end
    yield Block(header, tuple(settings))


def _setting(text: str, start: int, table: KeyPath) -> Statement:
    key = SETTING.match(text, start)
    assert key is not None, "the text is TOML"
    value = value_at(text, key.end())
    newline = text.find("\n", value.end)
    lines = TextSpan(start, newline + 1 if newline >= 0 else len(text))
    return Statement((*table, *_names(key[1])), lines, value)


def _table_path(names: list[str], is_entry: bool, entries: Counter[KeyPath]) -> KeyPath:
    path: KeyPath = ()
    for depth, name in enumerate(names, start=1):
        path = (*path, name)
        if is_entry and depth == len(names):
            entries[path] += 1
        if path in entries:
            path = (*path, entries[path] - 1)
    return path


def _names(key: str) -> list[str]:
    """The parts of a dotted key, without quotes."""
    names = []
    rest: object = tomllib.loads(f"{key.strip()} = 0")
    while isinstance(rest, dict):
        (name,) = rest
        names.append(name)
        rest = rest[name]
    return names
