"""The commented hilum.toml of `hilum init`, and the table of settings, made from site.py."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from hilum.config.site import Settings, Site

HEADER = """\
# Hilum settings. Every setting stands here with its default, commented out where it is one.
# Research use only, not for diagnosis.
"""
EXAMPLES: dict[str, dict[str, Any]] = {
    "destination": {
        "name": "pacs",
        "kind": "dimse",
        "host": "127.0.0.1",
        "port": 4242,
        "ae_title": "ORTHANC",
    },
}
SERIES = {"hippocampal-volume": {"SeriesDescription": "^HippoCrop$"}}  # as in the seed network

SKETCHES: dict[str, dict[str, Any]] = {  # the same for sections that are commented out
    "source": {"name": "orthanc", "kind": "orthanc", "url": "http://127.0.0.1:8042"},
    "route": {"send_to": ["archive"]},
    "norms": {
        "module": "hippocampal-volume",
        "weights_sha256": "",
        "file": "hippocampus.csv",
        "citation": "",
    },
}


def example(modules: Sequence[str], note: str) -> str:
    """A hilum.toml that works with the defaults of the seed network, every setting explained.

    It has a rule for each of `modules`, and begins with `note`, in comments.
    """
    lines = [HEADER, *(f"# {line}".rstrip() for line in note.splitlines()), ""]
    rules = [_rule(module) for module in modules]
    chosen = {**EXAMPLES, **({"rule": rules[0]} if rules else {})}
    sections = {}
    for name, field in Site.model_fields.items():
        if section := section_of(field):
            sections[name] = (field, section)
        else:
            lines += _setting(name, field, {})
    for name, (field, section) in sections.items():
        repeated = field.annotation is not section
        active = name in chosen or not repeated
        bracket = f"[[{name}]]" if repeated else f"[{name}]"
        lines += ["", f"# {field.description}", bracket if active else f"# {bracket}"]
        for key, inner in section.model_fields.items():
            values = chosen.get(name, {}) if active else SKETCHES.get(name, {})
            lines += _setting(key, inner, values, mark="" if active else "# ")
        if name == "rule":
            for rule in rules[1:]:
                lines += ["", "[[rule]]", *(f"{key} = {_toml(rule[key])}" for key in rule)]
    return "\n".join(lines) + "\n"


def _rule(module: str) -> dict[str, Any]:
    series = {"series": SERIES[module]} if module in SERIES else {}
    return {"module": module, **series, "send_to": ["pacs"]}


def section_of(field: FieldInfo) -> type[Settings] | None:
    """The settings class of a `[section]` or `[[section]]`, None for a plain value."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Settings):
            return candidate
    return None


def table() -> list[tuple[str, str, str]]:
    """(setting, default, help sentence) of every setting, for the reference."""
    rows = []
    for name, field in Site.model_fields.items():
        section = section_of(field)
        if section is None:
            rows.append((name, _toml(field.default), field.description or ""))
            continue
        for key, inner in section.model_fields.items():
            default = "required" if inner.is_required() else _toml(_default(inner))
            rows.append((f"{name}.{key}", default, inner.description or ""))
    return rows


def _setting(name: str, field: FieldInfo, chosen: dict[str, Any], mark: str = "") -> list[str]:
    """One setting with its sentence; those not `chosen` are comments, all are with `mark` "# "."""
    lines = [f"# {field.description}"]
    if name in chosen:
        return [*lines, f"{mark}{name} = {_toml(chosen[name])}"]
    default = "" if field.is_required() else _toml(_default(field))
    return [*lines, f"# {name} = {default}"]


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _toml(value: Any) -> str:
    if value is None:
        return '""'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, Path):
        return json.dumps(str(value))
    return json.dumps(value)


def reference() -> str:
    """The settings as a page of the documentation."""
    lines = [
        "# Settings",
        "",
        "All settings of `hilum.toml`. `hilum init` writes the file with every one explained; an",
        "unknown key is an error naming the nearest known one. Made from `config/site.py`.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | `{default}` | {sentence} |" for name, default, sentence in table()]
    return "\n".join(lines) + "\n"
