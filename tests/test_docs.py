"""The documentation is complete: whatever a user can type or meet stands in the reference."""

import dataclasses
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.models import CommandInfo

import hilum
from hilum import errors, inventory
from hilum.cli import app
from hilum.cli.group import import_files
from hilum.config.reference import reference, table
from hilum.module import Input
from hilum.records.states import WorkitemState
from hilum.service.roles import Role
from hilum.study.flow import Flow
from hilum_module.members import MEMBERS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text()


def test_settings_page_is_the_settings() -> None:
    assert page("reference/settings.md") == reference(), (
        "write it anew from hilum.config.reference.reference()"
    )


def commands_of(group: typer.Typer, before: str = "") -> Iterator[tuple[str, CommandInfo]]:
    """Every command below `group`, with the words that call it."""
    for command in group.registered_commands:
        assert command.callback
        yield before + (command.name or command.callback.__name__), command
    for inner in group.registered_groups:
        assert inner.typer_instance
        yield from commands_of(inner.typer_instance, f"{before}{inner.name} ")


def test_every_command_and_option() -> None:
    text = page("reference/commands.md")
    import_files()
    for name, command in commands_of(app):
        assert command.callback
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
    for name in set(hilum.__all__) - {"Code", "Finding", "Input", "Module", "Series", "codes"}:
        assert f"`{name}`" in text, name


def test_every_state() -> None:
    text = page("explanation/architecture.md")
    for state in WorkitemState:
        assert f"| {state} |" in text, state


ACT_WHEN_IMPORTED = (
    "hilum.__main__",
    "hilum.processes.fork_server",
)  # the second blocks SIGTERM for good


def enums_that_people_see() -> Iterator[type[StrEnum]]:
    """Those whose members have words for values, wherever in Hilum they are defined."""
    for found in pkgutil.walk_packages(hilum.__path__, "hilum."):
        if found.name not in ACT_WHEN_IMPORTED:
            for value in vars(import_module(found.name)).values():
                is_enum = inspect.isclass(value) and issubclass(value, StrEnum)
                if is_enum and value.__module__ == found.name and value not in ELSEWHERE:
                    yield value


ELSEWHERE = (inventory.ComponentKind,)  # in reference/licences.md


@pytest.mark.parametrize("enum", list(enums_that_people_see()), ids=lambda enum: enum.__name__)
def test_every_word_of_an_enum_is_in_the_glossary(enum: type[StrEnum]) -> None:
    text = page("reference/glossary.md")
    for value in enum:
        assert f"\n| {value} |" in text, f"{value} of {enum.__name__}"


def test_every_section_of_the_settings_is_explained() -> None:
    text = page("reference/glossary.md")
    sections = {name.partition(".")[0] for name, *_ in table() if "." in name}
    missing = [
        s for s in sections if not re.search(rf"^### .*\b{s.rstrip('s')}", text, re.I | re.M)
    ]
    assert missing == []


@pytest.mark.parametrize("package", ["hilum", "hilum_lab"])
def test_the_tree_of_the_architecture_page_is_the_code(package: str) -> None:
    """Every file and folder of a package has a place in its table, and no others have."""
    text = page("explanation/architecture.md")
    rows = text.partition(f"| below `src/{package}` |")[2].partition("\n\n")[0]
    named = {
        name.rstrip("/")
        for row in re.findall(r"^\| ([^|]+) \|", rows, re.M)
        for name in re.findall(r"`([\w./]+)`", row)
    }
    there = {path.name for path in (ROOT / "src" / package).iterdir() if path.name[0] != "_"}
    assert named == {name for name in there if not name.endswith(".egg-info")}


def test_a_study_can_be_followed_through_one_file() -> None:
    """The page names methods of `Flow` in the order in which they stand in the file."""
    section = page("explanation/architecture.md").partition("## Follow one study")[2]
    named = re.findall(r"^\| `(\w+)` \|", section.partition("\n## ")[0], re.MULTILINE)
    methods = [name for name in vars(Flow) if name in named]
    assert named == methods


def test_the_drawing_is_what_its_script_draws() -> None:
    script = DOCS / "pictures" / "processes.py"
    drawn = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert (DOCS / "pictures" / "processes.svg").read_text() == drawn.stdout


def test_the_drawing_shows_every_role() -> None:
    drawing = (DOCS / "pictures" / "processes.svg").read_text()
    assert [role for role in Role if f">{role}</text>" not in drawing] == []


def anchors(page: Path) -> set[str]:
    """Of its headings, as a git host makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"], ids=str)
def test_links_lead_somewhere(file: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", file.read_text()):
        if not target.startswith(("http:", "https:")):
            path = file.parent / target if target else file
            assert path.exists(), target
            assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


def test_every_page_is_in_the_table_of_contents() -> None:
    text = page("README.md")
    pages = {str(file.relative_to(DOCS)) for file in DOCS.glob("*/*.md")}
    assert {name for name in pages if f"]({name})" not in text} == set()


HOUSE_WORDS = {  # not of the standard: whoever reads them first is led to their meaning
    "workitem": "workitem",
    "held": "held",
    "parked": "parked",
    "quarantine": "quarantine",
    "read back": "read-back",
    "verified": "verified",
    "superseded": "predecessor-superseded",
    "reservation": "reservation",
}


@pytest.mark.parametrize(
    "file",
    [
        path
        for kind in ("tutorial", "how-to", "explanation")
        for path in DOCS.glob(f"{kind}/*.md")
        if path.name not in ("odd-input.md", "archives.md")  # commands write them
    ],
    ids=lambda file: file.stem,
)
def test_words_of_our_own_are_linked_to_the_glossary(file: Path) -> None:
    text = re.sub(r"```.*?```|^#.*?$|`[^`]+`", "", file.read_text(), flags=re.S | re.M)
    for word, anchor in HOUSE_WORDS.items():
        if re.search(rf"\b{word}s?\b", text, re.IGNORECASE):
            assert f"glossary.md#{anchor}" in text, f"link {word!r} where it stands first"


OLD_WORDS = "lest|be it (?:that|to|a)|whither|thereof|hereby|whereupon|nobody need|albeit|save for"


def test_plain_english() -> None:
    """Words that hardly anybody says today make readers stumble."""
    folders = (DOCS, ROOT / "src", ROOT / "training")
    files = [ROOT / "README.md", *(path for folder in folders for path in folder.rglob("*"))]
    texts = {f: f.read_text() for f in files if f.suffix in (".py", ".md", ".html", ".in", ".lua")}
    found = {f.name: re.findall(rf"\b(?:{OLD_WORDS})\b", t, re.I) for f, t in texts.items()}
    assert {name: words for name, words in found.items() if words} == {}


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
