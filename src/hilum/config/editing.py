"""Changes the text of hilum.toml and leaves every byte that is not meant as it is, comments too.

Each function gives the whole new text, so that a difference can be shown before anything is saved
(`hilum.config.file` saves it). What is made is read again and compared with what was meant: a text
in which it cannot be done is refused, and never altered otherwise.

An entry is one table of a list, such as the second `[[rule]]`. Entries are numbered from 0.
"""

import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import tomlkit

from hilum.config import values_in
from hilum.config.layout import Block, KeyPath, Layout, TextSpan, elements, with_comma
from hilum.errors import ConfigurationError

BY_HAND = "this file is written in a way that cannot be changed here: change it by hand"
_MISSING = object()


class _Edit(NamedTuple):
    """Characters that give way to others."""

    span: TextSpan
    text: str


def added(text: str, section: str, values: Mapping[str, Any]) -> str:
    """`text` with one more entry of `section`, the last one."""
    before = values_in(text)
    layout = Layout(text)
    entries = before.get(section, [])
    after = before | {section: [*entries, dict(values)]}
    inline = layout.below((section,)) and not layout.tables((section,))
    edit = _more_inline(layout, section, values) if inline else _more(layout, section, values)
    return _edited(text, [edit], after)


def changed(text: str, section: str, number: int, values: Mapping[str, Any]) -> str:
    """`text` with other settings in one entry: all that are in `values`, and no others."""
    before = values_in(text)
    old = _entry(before, section, number)
    after = deepcopy(before)
    after[section][number] = dict(values)
    return _edited(text, _changes(Layout(text), (section, number), old, values), after)


def removed(text: str, section: str, number: int) -> str:
    """`text` without one entry and the comments that touch its header."""
    before = values_in(text)
    _entry(before, section, number)
    after = deepcopy(before)
    del after[section][number]
    layout = Layout(text)
    path = (section, number)
    if blocks := layout.tables(path):
        if not after[section]:
            del after[section]
        return _edited(text, [_Edit(span, "") for span in _wholes(layout, blocks)], after)
    array = _array(layout, section)
    span = with_comma(text, elements(text, array)[number], array)
    return _edited(text, [_Edit(span, "")], after)


def entry_text(text: str, section: str, number: int) -> str:
    """The lines of one entry, with its comments."""
    _entry(values_in(text), section, number)
    span = _lines(Layout(text), section, number)
    return text[span.start : span.end]


def with_entry_text(text: str, section: str, number: int, lines: str) -> str:
    """`text` with other lines in the place of one entry."""
    before = values_in(text)
    _entry(before, section, number)
    span = _lines(Layout(text), section, number)
    return _edited(
        text, [_Edit(span, _ended(text, lines))], _with_entry(before, section, number, lines)
    )


def toml_text(value: Any) -> str:
    """`value` as it stands behind `key =`, on one line; `toml_value` reads it again."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_dotted((key,))} = {toml_text(inner)}" for key, inner in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_text(inner) for inner in value)}]"
    return str(tomlkit.item(value).as_string())


def _with_entry(before: dict[str, Any], section: str, number: int, lines: str) -> dict[str, Any]:
    given = values_in(lines)
    if given.keys() != {section} or len(given[section]) != 1:
        raise ConfigurationError(f"write exactly one [[{section}]] here, and nothing else")
    after = deepcopy(before)
    after[section][number] = given[section][0]
    return after


def _entry(values: Mapping[str, Any], section: str, number: int) -> dict[str, Any]:
    entries = values.get(section, [])
    if not 0 <= number < len(entries):
        raise ConfigurationError(f"there is no [[{section}]] number {number + 1} in this file")
    entry: dict[str, Any] = entries[number]
    return entry


def _edited(text: str, edits: list[_Edit], meant: dict[str, Any]) -> str:
    """`text` after `edits`, which has to say what is `meant`."""
    made = text
    for edit in sorted(edits, key=lambda edit: edit.span.start, reverse=True):
        made = made[: edit.span.start] + edit.text + made[edit.span.end :]
    try:
        is_meant = _without_empty(tomllib.loads(made)) == _without_empty(meant)
    except tomllib.TOMLDecodeError:
        is_meant = False
    if not is_meant:
        raise ConfigurationError(BY_HAND)
    return made


def _without_empty(value: Any) -> Any:
    """`value` without empty tables: a table whose last dotted setting is gone is not there."""
    if isinstance(value, list):
        return [_without_empty(inner) for inner in value]
    if isinstance(value, dict):
        inner = {key: _without_empty(one) for key, one in value.items()}
        return {key: one for key, one in inner.items() if one != {}}
    return value


def _changes(
    layout: Layout, path: KeyPath, old: Mapping[str, Any], new: Mapping[str, Any]
) -> list[_Edit]:
    """What makes the table at `path`, which says `old`, say `new`."""
    if whole := _whole_value(layout, path):
        return [_Edit(whole, toml_text(new))]
    edits = []
    for setting in layout.below(path):
        assert setting.value is not None
        wanted = _at(new, setting.path[len(path) :])
        if wanted is _MISSING:
            edits.append(_Edit(setting.lines, ""))
        elif wanted != _at(old, setting.path[len(path) :]):
            edits.append(_Edit(setting.value, toml_text(wanted)))
    for block in layout.tables(path):
        if block.header and _at(new, block.path[len(path) :]) is _MISSING:
            edits.append(_Edit(block.header.lines, ""))
    return edits + list(_new_settings(layout, path, new))


def _whole_value(layout: Layout, path: KeyPath) -> TextSpan | None:
    """Where the table at `path` stands as one value, in braces; None if it has lines of its own."""
    match path:
        case (str(section), int(number)) if not layout.tables(path):
            return elements(layout.text, _array(layout, section))[number]
        case _:
            return next((one.value for one in layout.below(path) if one.path == path), None)


def _new_settings(layout: Layout, table: KeyPath, new: Mapping[str, Any]) -> Iterator[_Edit]:
    for key, value in new.items():
        path = (*table, key)
        if _whole_value(layout, path):
            continue  # it is there, as one value
        if not layout.below(path) and not layout.tables(path):
            yield _new_setting(layout, table, key, value)
        elif isinstance(value, Mapping):
            yield from _new_settings(layout, path, value)


def _new_setting(layout: Layout, table: KeyPath, key: str, value: Any) -> _Edit:
    """A line more, beside its likes."""
    siblings = layout.below(table)
    home = next((b for b in layout.blocks if b.path == table), None)
    if home is None:
        home = next(b for b in layout.blocks if siblings[-1] in b.settings)
    line = f"{_dotted((*table[len(home.path) :], key))} = {toml_text(value)}"
    position = layout.commented_default(home, key) if home.path == table else None
    if position is None:
        own = [one for one in siblings if one in home.settings] or list(home.statements)
        position = own[-1].lines.end if own else layout.lead(home)
    return _Edit(TextSpan(position, position), _line(layout.text, position, line))


def _more(layout: Layout, section: str, values: Mapping[str, Any]) -> _Edit:
    """One more entry, after the last one."""
    newline = _newline(layout.text)
    lines = [
        f"[[{section}]]",
        *(f"{_dotted((key,))} = {toml_text(v)}" for key, v in values.items()),
    ]
    text = newline.join(lines)
    blocks = layout.tables((section,))
    if not blocks:
        return _at_end(layout.text, text)
    position = layout.tail(blocks[-1])
    return _Edit(TextSpan(position, position), newline + _line(layout.text, position, text))


def _more_inline(layout: Layout, section: str, values: Mapping[str, Any]) -> _Edit:
    array = _array(layout, section)
    spans = elements(layout.text, array)
    position = spans[-1].end if spans else array.start + 1
    return _Edit(TextSpan(position, position), f"{', ' if spans else ''}{toml_text(values)}")


def _at_end(text: str, lines: str) -> _Edit:
    newline = _newline(text)
    end = len(text)
    before = newline if text.strip() else ""
    return _Edit(TextSpan(end, end), before + _line(text, end, lines))


def _line(text: str, position: int, line: str) -> str:
    """`line` as it is to be put in at `position`, where no line may have begun."""
    newline = _newline(text)
    begins = position == 0 or text[position - 1] == "\n"
    return f"{'' if begins else newline}{line}{newline}"


def _wholes(layout: Layout, blocks: list[Block]) -> Iterator[TextSpan]:
    """Tables with the comments that touch them, and the blank lines after them."""
    text = layout.text
    for first, last in _together(layout, blocks):
        start, end = layout.lead(first), layout.tail(last)
        is_apart = start == 0 or not text[:start].splitlines()[-1].strip()
        while is_apart and end < len(text):
            following = text.find("\n", end) + 1 or len(text)
            if text[end:following].strip():
                break
            end = following
        while end == len(text) and text[:start].endswith(("\n\n", "\n\r\n")):
            start = text.rindex("\n", 0, start - 1) + 1
        yield TextSpan(start, end)


def _together(layout: Layout, blocks: list[Block]) -> Iterator[tuple[Block, Block]]:
    """The first and the last of each run of tables that stand one after the other."""
    places = {layout.blocks.index(block): block for block in blocks}
    for place, block in places.items():
        if place - 1 not in places:
            last = place
            while last + 1 in places:
                last += 1
            yield block, places[last]


def _lines(layout: Layout, section: str, number: int) -> TextSpan:
    """All lines of one entry, which have to stand together."""
    runs = list(_together(layout, layout.tables((section, number))))
    if len(runs) != 1:
        raise ConfigurationError(BY_HAND)
    first, last = runs[0]
    return TextSpan(layout.lead(first), layout.tail(last))


def _array(layout: Layout, section: str) -> TextSpan:
    """The list of `section` where it is written in brackets behind its name."""
    found = [one for one in layout.below((section,)) if one.path == (section,)]
    if len(found) != 1 or found[0].value is None:
        raise ConfigurationError(BY_HAND)
    return found[0].value


def _at(values: Any, path: KeyPath) -> Any:
    for name in path:
        try:
            values = values[name]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return values


def _ended(text: str, lines: str) -> str:
    """`lines` with the line ends of `text`, also after the last one."""
    return "".join(f"{line}{_newline(text)}" for line in lines.splitlines())


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _dotted(path: KeyPath) -> str:
    return tomlkit.key([str(name) for name in path]).as_string()
