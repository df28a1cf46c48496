"""Every setting as Hilum works by it: its value, its default, and the line that sets it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from hilum.config.fields import Settings
from hilum.config.layout import KeyPath, Layout
from hilum.config.masking import masked
from hilum.config.reference import as_toml
from hilum.config.site import Site

Lines = dict[KeyPath, int]  # the lines of hilum.toml, from 1, by what they set


@dataclass(frozen=True)
class RunningSetting:
    """One setting. Value and default are as TOML writes them, secrets as stars.

    `default` is "" where there is none. `line` is that of hilum.toml, None where the default holds
    or the file is not known.
    """

    name: str
    value: str
    default: str
    help: str
    line: int | None

    @property
    def is_default(self) -> bool:
        """Whether it is as it would be if nobody had set it."""
        return self.value == self.default


@dataclass(frozen=True)
class RunningSection:
    """A section, or one entry of a list: its title as in the file, what it is for, its settings."""

    title: str
    help: str
    settings: tuple[RunningSetting, ...]


def running(site: Site, text: str = "") -> list[RunningSection]:
    """The settings of `site`, which stand in the file that says `text`, "" if it is not known.

    The first section holds those that stand before every `[section]`.
    """
    lines = _lines(text)
    plain: list[RunningSetting] = []
    sections: list[RunningSection] = []
    for name, field in Site.model_fields.items():
        value, help = getattr(site, name), field.description or ""
        if isinstance(value, Settings):
            sections.append(RunningSection(f"[{name}]", help, _of_section(value, (name,), lines)))
        elif isinstance(value, tuple):
            for number, entry in enumerate(value):
                of_entry = _of_section(entry, (name, number), lines)
                sections.append(RunningSection(f"[[{name}]]{_called(entry)}", help, of_entry))
        else:
            plain.append(_setting(name, field, value, _line(lines, (name,))))
    return [RunningSection("", "", tuple(plain)), *sections]


def _called(entry: Settings) -> str:
    """What tells an entry of a list from the others."""
    name = getattr(entry, "name", None) or getattr(entry, "module", None)
    return f" {name}" if name else ""


def _of_section(section: Settings, path: KeyPath, lines: Lines) -> tuple[RunningSetting, ...]:
    return tuple(_within(section, path, lines, ""))


def _within(
    section: Settings, path: KeyPath, lines: Lines, before: str
) -> Iterator[RunningSetting]:
    """The settings of a section; those of a section inside it have its name `before` theirs."""
    for name, field in type(section).model_fields.items():
        value, place = getattr(section, name), (*path, name)
        if isinstance(value, Settings):
            yield from _within(value, place, lines, f"{before}{name}.")
        else:
            yield _setting(f"{before}{name}", field, value, _line(lines, place))


def _setting(name: str, field: FieldInfo, value: Any, line: int | None) -> RunningSetting:
    default = (
        "" if field.is_required() else _shown(name, field.get_default(call_default_factory=True))
    )
    return RunningSetting(name, _shown(name, value), default, field.description or "", line)


def _shown(name: str, value: Any) -> str:
    """A value as TOML writes it, with stars in the place of a secret."""
    statement = masked(f"{name} = {as_toml(to_jsonable_python(value))}")
    return statement.partition(" = ")[2]


def _lines(text: str) -> Lines:
    found = {}
    for statement in Layout(text).settings:
        found[statement.path] = text.count("\n", 0, statement.lines.start) + 1
    return found


def _line(lines: Lines, path: KeyPath) -> int | None:
    """The line that sets what is at `path`, or a part of it, or what it is a part of."""
    for known, line in lines.items():
        shorter = min(len(known), len(path))
        if known[:shorter] == path[:shorter]:
            return line
    return None
