"""The commented hilum.toml of `hilum init`, and the tables of settings, made from their classes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from hilum.config.fields import Settings
from hilum.config.kinds import SECTIONS_BY_KIND
from hilum.config.site import Site

HEADER = """\
# Hilum settings. Every setting is listed with its default; defaults are commented out.
# Research use only, not for diagnosis.
"""
PACS = {"name": "pacs", "kind": "dimse", "host": "127.0.0.1", "port": 4242, "ae_title": "ORTHANC"}
SERIES = {"hippocampal-volume": {"SeriesDescription": "^HippoCrop$"}}  # as in the seed network
SKETCHES: dict[str, dict[str, Any]] = {  # of sections that are commented out
    "route": {"send_to": ["archive"]},
    "norms": {
        "module": "hippocampal-volume",
        "weights_sha256": "",
        "file": "hippocampus.csv",
        "citation": "",
    },
}
COMMENT = "# "
SettingRow = tuple[str, str, str]  # setting, default, help sentence


def example(modules: Sequence[str], note: str) -> str:
    """A hilum.toml that works with the defaults of the seed network, every setting explained.

    It has a rule for each of `modules`, and begins with `note`, in comments.
    """
    lines = [HEADER, *(f"# {line}".rstrip() for line in note.splitlines()), ""]
    sections: dict[str, tuple[FieldInfo, type[Settings]]] = {}
    for name, field in Site.model_fields.items():
        if found := section_of(field):
            sections[name] = (field, found)
        else:
            lines += _setting(name, field, {})
    for name, (field, section) in sections.items():
        lines += ["", f"# {field.description}"]
        if name in SECTIONS_BY_KIND:
            lines += _blocks_by_kind(name, section)
        elif name == "rule":
            lines += _rules(section, [_rule(module) for module in modules])
        elif field.annotation is section:
            lines += _block(f"[{name}]", section, {})
        else:
            lines += _block(f"[[{name}]]", section, SKETCHES[name], COMMENT)
    return "\n".join(lines) + "\n"


def _rules(section: type[Settings], rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """A block for each of `rules`, the first of which explains the settings."""
    if not rules:
        return _block("[[rule]]", section, {}, COMMENT)
    lines = _block("[[rule]]", section, rules[0])
    for rule in rules[1:]:
        lines += ["", "[[rule]]", *(f"{key} = {as_toml(rule[key])}" for key in rule)]
    return lines


def _block(
    bracket: str, section: type[Settings], chosen: Mapping[str, Any], mark: str = ""
) -> list[str]:
    lines = [f"{mark}{bracket}"]
    for key, field in section.model_fields.items():
        lines += _setting(key, field, chosen, mark)
    return lines


def _blocks_by_kind(name: str, base: type[Settings]) -> list[str]:
    """One block for each kind of a section; the first one explains what all of them have."""
    lines: list[str] = []
    for kind, settings in _settings_by_kind(name).items():
        own = _own_settings(settings, base)
        shared = [key for key in base.model_fields if key not in own]
        required = [key for key in shared if base.model_fields[key].is_required()]
        is_pacs = name == "destination" and kind == PACS["kind"]
        chosen, mark = (PACS, "") if is_pacs else (_sketch(kind, settings), COMMENT)
        keys = dict.fromkeys((*required, *own, *(() if lines else shared)))
        lines += ["", f"{mark}[[{name}]]"]
        for key in keys:
            lines += _setting(key, settings.model_fields[key], chosen, mark)
    return lines[1:]


def _sketch(kind: str, settings: type[Settings]) -> dict[str, Any]:
    """What a block that is commented out shows: an example of each setting without a default."""
    fields = settings.model_fields.items()
    required = {key: (f.examples or [""])[0] for key, f in fields if f.is_required()}
    return {**required, "kind": kind}


def _settings_by_kind(name: str) -> dict[str, type[Settings]]:
    """The settings classes of all kinds of a section; that of the seed network comes first."""
    usable = SECTIONS_BY_KIND[name].usable()
    kinds = sorted(usable, key=lambda kind: (kind != PACS["kind"], kind))
    return {kind: usable[kind].settings for kind in kinds}


def _own_settings(settings: type[Settings], base: type[Settings]) -> list[str]:
    """Those that not every kind of the section has as they are."""
    of_all = {key: (field.default, field.description) for key, field in base.model_fields.items()}
    return [
        key
        for key, field in settings.model_fields.items()
        if of_all.get(key) != (field.default, field.description)
    ]


def _rule(module: str) -> dict[str, Any]:
    series = {"series": SERIES[module]} if module in SERIES else {}
    return {"module": module, **series, "send_to": ["pacs"]}


def section_of(field: FieldInfo) -> type[Settings] | None:
    """The settings class of a `[section]` or `[[section]]`, None for a plain value."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        plain = get_args(candidate)[0] if hasattr(candidate, "__metadata__") else candidate
        if isinstance(plain, type) and issubclass(plain, Settings):
            return plain
    return None


def table() -> list[SettingRow]:
    """Every setting that does not depend on a kind, for the reference."""
    rows = []
    for name, field in Site.model_fields.items():
        section = section_of(field)
        fields = {name: field}
        if section:
            fields = {f"{name}.{key}": inner for key, inner in section.model_fields.items()}
        rows += [row for key, inner in fields.items() for row in _rows(key, inner)]
    return rows


def tables_by_kind() -> dict[tuple[str, str], list[SettingRow]]:
    """By section and kind, the settings that not every kind of the section has as they are."""
    tables = {}
    for name in SECTIONS_BY_KIND:
        base = section_of(Site.model_fields[name])
        assert base is not None
        for kind, settings in _settings_by_kind(name).items():
            fields = settings.model_fields
            own = {key: fields[key] for key in _own_settings(settings, base)}
            tables[name, kind] = [row for key in own for row in _rows(key, own[key])]
    return tables


def _rows(key: str, field: FieldInfo) -> list[SettingRow]:
    """A setting; if it is a section inside another one, its settings follow."""
    inner = section_of(field)
    fields = inner.model_fields if inner else {}
    return [_row(key, field), *(_row(f"{key}.{name}", fields[name]) for name in fields)]


def _row(key: str, field: FieldInfo) -> SettingRow:
    default = "required" if field.is_required() else as_toml(_default(field))
    return key, default, field.description or ""


def _setting(name: str, field: FieldInfo, chosen: Mapping[str, Any], mark: str = "") -> list[str]:
    """One setting with its sentence; those not `chosen` are comments, all are with `mark` "# "."""
    lines = [f"# {field.description}"]
    if name in chosen:
        return [*lines, f"{mark}{name} = {as_toml(chosen[name])}"]
    if inner := section_of(field):
        shown = {key: f.examples[0] for key, f in inner.model_fields.items() if f.examples}
        helped = [f"#   {key}: {f.description}" for key, f in inner.model_fields.items()]
        of_several = get_origin(field.annotation) is tuple
        return [*lines, *helped, f"# {name} = {as_toml([shown] if of_several else shown)}"]
    default = "" if field.is_required() else as_toml(_default(field))
    return [*lines, f"# {name} = {default}"]


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def as_toml(value: Any) -> str:
    """A value as it stands behind `key =`; None is ""."""
    if value is None:
        return '""'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {as_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    if isinstance(value, Path):
        return json.dumps(str(value))
    return json.dumps(value, ensure_ascii=False)


def reference() -> str:
    """The settings as a page of the documentation."""
    lines = [
        "# Settings",
        "",
        "This page lists all settings of `hilum.toml`; the classes of the settings make it.",
        "`hilum init` writes the file and explains each setting. An unknown key is an error that",
        "names the nearest known one.",
        "",
        *_as_table(table()),
    ]
    for (name, kind), rows in tables_by_kind().items():
        lines += ["", f"## {name} of kind `{kind}`", "", *_as_table(rows)]
    return "\n".join(lines) + "\n"


def _as_table(rows: Sequence[SettingRow]) -> list[str]:
    head = ["| setting | default | meaning |", "|---|---|---|"]
    return [
        *head,
        *(f"| `{name}` | `{default}` | {sentence} |" for name, default, sentence in rows),
    ]
