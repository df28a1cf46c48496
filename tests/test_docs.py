"""The documentation is complete: whatever a user can type or meet stands in the reference."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

import hilum
from hilum import errors
from hilum.cli import app
from hilum.config.reference import reference
from hilum.module import MEMBERS, Input
from hilum.records.states import State

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text()


def test_settings_page_is_the_settings() -> None:
    assert page("reference/settings.md") == reference(), (
        "write it anew from hilum.config.reference.reference()"
    )


def test_every_command_and_option() -> None:
    text = page("reference/commands.md")
    for command in app.registered_commands:
        assert command.callback
        name = command.name or command.callback.__name__
        assert f"| `{name}" in text, name
        for parameter in inspect.signature(command.callback).parameters.values():
            for metadata in getattr(parameter.annotation, "__metadata__", ()):
                for option in getattr(metadata, "param_decls", ()) or ():
                    assert f"`{option}" in text, option


def test_every_error() -> None:
    text = page("reference/errors.md")
    for name, value in vars(errors).items():
        if inspect.isclass(value) and issubclass(value, errors.HilumError):
            assert f"`{name}`" in text, name
            assert name in (errors.__doc__ or ""), name


def test_everything_a_module_author_meets() -> None:
    text = page("reference/module.md")
    for name in (*MEMBERS, *(field.name for field in dataclasses.fields(Input))):
        assert f"`{name}`" in text, name
    for name in set(hilum.__all__) - {"Finding", "Input", "Module", "Series", "codes"}:
        assert f"`{name}`" in text, name


def test_every_state() -> None:
    text = page("explanation/architecture.md")
    for state in State:
        assert f"| {state} |" in text, state


@pytest.mark.parametrize("file", [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"], ids=str)
def test_links_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (file.parent / target).exists(), target


def test_the_tests_that_the_documentation_names_exist() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = {
        n for page in DOCS.rglob("*.md") for n in re.findall(r"`(test_\w+)`", page.read_text())
    }
    assert {name for name in named if f"def {name}(" not in tests} == set()


def test_the_module_of_the_guide_is_the_one_the_tests_run() -> None:
    from plugin import BRIGHT

    assert BRIGHT in page("how-to/write-a-module.md")
    assert BRIGHT in (ROOT / "README.md").read_text()
