"""Every example of the documentation is run or validated, and so is every command it names.

A block of code says in its first line what it is. `text` is for drawings, which nobody types.
"""

import ast
import builtins
import configparser
import csv
import json
import re
import shlex
import shutil
import subprocess
import tomllib
import warnings
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import typer
from typer.core import TyperGroup

from hilum.cli import app
from hilum.cli.group import import_files
from hilum.comparison.norms import COLUMNS
from hilum.config import load
from hilum.config.site import Rule
from hilum.environments.monai_bundle import BundleCard
from hilum.environments.nnunet import NnUNetCard
from hilum.hosts.container.card import ContainerCard
from hilum.module.cards import WholeCard, card_values
from hilum.modules.chest.card import ModelCard
from hilum.modules.volume.card import VolumeCard
from hilum.servers.dicom_ai_router import RouterCard
from hilum.servers.kserve import KServeCard
from hilum_lab.network.processes import available_port
from tests.certificates import SelfSigned

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path for folder in ("src", "tests", "examples") for path in (ROOT / folder).rglob("*.py")
)
PAGES_OF_THE_PACKAGE = sorted((ROOT / "docs" / "how-to").glob("add-a-*.md"))
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
COMMAND = re.compile(r"`(\./)?hilum\b")
PROGRAMS = (
    "apt-get",
    "git",
    "cd",
    "podman",
    "useradd",
    "chmod",
    "chown",
    "cp",
    "mv",
    ".venv/bin/python",
)  # of a shell, besides ours


VALUES = {"N": "1", "X": "1", "NUMBER": "1", "ROLE": "gateway"}
OTHERS = (  # of Orthanc, uvicorn, Prometheus, TLS, PostgreSQL; of a module that the page makes up
    "HttpPost()",
    "limit_concurrency",
    "histogram_quantile",
    "close_notify",
    "pg_current_snapshot",
    "run(self, t1, flair)",
)


class Example(NamedTuple):
    """A block of code: the page, its language, its text without the indentation."""

    page: Path
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.stem}: {self.language}: {self.text.splitlines()[0]}"


def examples() -> Iterator[Example]:
    for page in PAGES:
        for indentation, language, text in BLOCK.findall(page.read_text()):
            lines = [line.removeprefix(indentation) for line in text.splitlines()]
            yield Example(page, language.strip(), "\n".join(lines))


@cache
def commands() -> dict[str, Any]:
    import_files()
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return dict(group.commands)


def parse(words: list[str], is_mention: bool = False) -> None:
    """Have the command line read `words`, and run nothing.

    A mention in a sentence may leave arguments out; what it names must exist.
    """
    if words in (["--help"], ["--version"]):
        return
    assert words[0] in commands(), f"there is no command {words[0]}"
    command = commands()[words[0]]
    while isinstance(command, TyperGroup) and words[1:] and not _is_by_itself(command, words):
        words = words[1:]
        assert words[0] in command.commands, f"there is no command {words[0]}"
        command = command.commands[words[0]]
    if isinstance(command, TyperGroup) and not command.invoke_without_command:
        assert is_mention, f"{words[0]} needs a further word"
        return
    try:
        command.make_context(words[0], words[1:])
    except typer.Exit:
        assert "--help" in words
    except typer.BadParameter as error:
        assert is_mention, error.message
        assert type(error).__name__ == "MissingParameter", error.message


def _is_by_itself(command: TyperGroup, words: list[str]) -> bool:
    """Whether options follow a group that does something of its own, as in `modules --json`."""
    return command.invoke_without_command and words[1].startswith("-")


def hilum_words(line: str) -> list[str] | None:
    """The arguments of a call of Hilum, with values for words that stand for one; else None."""
    words = [VALUES.get(word, word) for word in shlex.split(line, comments=True)]
    is_ours = bool(words) and Path(words[0]).name == "hilum"
    return words[1:] if is_ours else None


def run_shell(example: Example) -> None:
    for line in example.text.splitlines():
        for part in line.split("&&"):
            words = shlex.split(part, comments=True)
            if not words:
                continue
            if arguments := hilum_words(part):
                parse(arguments)
            else:
                assert words[0] in PROGRAMS, words[0]


def run_python(example: Example) -> None:
    Path("audit.jsonl").touch()  # what one of them reads; tests/audit runs it on a real export
    with warnings.catch_warnings():
        if "import torch" in example.text:
            warnings.simplefilter("ignore")  # what PyTorch says of its own older exporter
            export_what_is_shown()
        exec(compile(example.text, str(example.page), "exec"), {"__name__": "example"})


def export_what_is_shown() -> None:
    """What the export of a network reads, where PyTorch and onnx are installed."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    layer = torch.nn.Conv3d(1, 3, 3, padding=1)
    torch.jit.trace(layer, torch.zeros(1, 1, 96, 96, 96)).save("model.ts")
    np.save("crop.npy", np.random.default_rng(1).normal(50, 60, (96, 96, 96)).astype(np.float32))


BUNDLE_SAYS = {"version": "1", "licence": "theirs", "basis": "theirs"}  # in its metadata


CARDS: dict[str, type[WholeCard]] = {
    "chest-radiograph": ModelCard,
    "mercure": ContainerCard,
    "monai-bundle": BundleCard,
    "monai-map": ContainerCard,
    "kserve": KServeCard,
    "dicom-ai-router": RouterCard,
    "nnunet": NnUNetCard,
    "volume": VolumeCard,
}


def run_toml(example: Example) -> None:
    values = tomllib.loads(example.text)
    if "project" in values:
        for group in values["project"].get("entry-points", {}):
            assert any(f'"{group}"' in path.read_text() for path in SOURCES), group
    elif "input" in values:
        Path("card.toml").write_text(example.text)
        described = CARDS[values["module"]]
        said_by_bundle = BUNDLE_SAYS if described is BundleCard else {}
        described.model_validate({**said_by_bundle, **card_values(Path())})
    else:
        text = example.text if set(values) - set(Rule.model_fields) else _in_a_rule(example.text)
        values = tomllib.loads(text)
        Path("hilum.toml").write_text(f"{text}\n{_destinations_that_lack(values)}")
        load(Path("hilum.toml"))


def _in_a_rule(text: str) -> str:
    return f'[[rule]]\nmodule = "hippocampal-volume"\n{text}'


def _destinations_that_lack(values: dict[str, Any]) -> str:
    """What a whole `hilum.toml` defines beside the settings that an example shows."""
    users = [*values.get("rule", []), *values.get("route", [])]
    used = {name for user in users for name in user.get("send_to", [])}
    lacking = used - {destination["name"] for destination in values.get("destination", [])}
    return "".join(f'[[destination]]\nname = "{name}"\nkind = "dimse"\n' for name in lacking)


def run_json(example: Example) -> None:
    text = example.text.strip()
    json.loads(text if text.startswith("{") else f"{{{text}}}")


def run_ini(example: Example) -> None:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(example.text)
    words = hilum_words(unit["Service"]["ExecStart"])
    assert words
    parse(words)


def run_csv(example: Example) -> None:
    rows = list(csv.DictReader(example.text.splitlines()))
    assert rows
    assert all(tuple(row) == COLUMNS and all(row.values()) for row in rows)


def run_nginx(example: Example) -> None:
    """nginx takes it, with a certificate that is there, at a port that everybody may have."""
    if shutil.which("nginx") is None:
        pytest.skip("no nginx")
    made = SelfSigned.make(Path.cwd())
    server = re.sub(r"ssl_certificate (\S+);", f"ssl_certificate {made.certificate};", example.text)
    server = re.sub(r"ssl_certificate_key (\S+);", f"ssl_certificate_key {made.key};", server)
    server = server.replace("listen 443", f"listen 127.0.0.1:{available_port()}")
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = " ".join(f"{name}_temp_path {name};" for name in temporary)
    head = "pid nginx.pid; error_log stderr; events {}"
    Path("nginx.conf").write_text(f"{head} http {{ access_log off; {paths} {server} }}")
    words = [
        "nginx",
        "-t",
        "-p",
        f"{Path.cwd()}/",
        "-e",
        "stderr",
        "-c",
        Path("nginx.conf").resolve(),
    ]
    tried = subprocess.run(words, capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr


def run_text(example: Example) -> None:
    """A drawing: nothing in it can be run."""


def run_rsyslog(example: Example) -> None:
    objects = re.findall(r"^(\w+)\([^()]*\)$", example.text, re.MULTILINE)
    assert objects == ["global", "module", "input"]
    assert all("=" in line for line in example.text.splitlines())


RUNNERS = {
    "sh": run_shell,
    "python": run_python,
    "toml": run_toml,
    "json": run_json,
    "ini": run_ini,
    "csv": run_csv,
    "text": run_text,
    "nginx": run_nginx,
    "rsyslog": run_rsyslog,
}


@pytest.mark.parametrize("example", list(examples()), ids=str)
def test_every_example_is_what_it_says(
    example: Example,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if example.page in PAGES_OF_THE_PACKAGE:
        request.getfixturevalue("example_package")
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    assert example.language in RUNNERS, "name the language of the block, see RUNNERS"
    RUNNERS[example.language](example)


def spans_of_pages() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        prose = BLOCK.sub("", page.read_text())
        for span in SPAN.findall(prose):
            yield page.stem, span.replace("\n", " ")


def texts_of_code() -> Iterator[tuple[str, str]]:
    """Every text in code that names a command, with X where a value is put in."""
    for path in (ROOT / "src").rglob("*.py"):
        code = path.read_text()
        if not COMMAND.search(code):
            continue  # most do not, and to parse all of them takes each process a second
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.JoinedStr):
                parts = (v.value if isinstance(v, ast.Constant) else "X" for v in node.values)
                yield path.stem, "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path.stem, node.value


def commands_that_are_named() -> set[tuple[str, str]]:
    in_code = [(name, span) for name, text in texts_of_code() for span in SPAN.findall(text)]
    return {
        (name, " ".join(span.split()))
        for name, span in [*spans_of_pages(), *in_code]
        if re.match(r"(\./)?hilum +[a-z-]", span)
    }


def test_every_command_that_is_named_exists(subtests: pytest.Subtests) -> None:
    """In pages, docstrings, and what Hilum tells people to type."""
    named = commands_that_are_named()  # not a parameter: each process would look through all code
    assert len(named) > 100
    for where, command in sorted(named):
        with subtests.test(where=where, command=command):
            words = hilum_words(command)
            assert words
            parse(words, is_mention=True)


@cache
def names_in_code() -> dict[str, set[str]]:
    """Whatever is defined or assigned in our code or its tests, with the arguments it can take."""
    names: dict[str, set[str]] = {name: set() for name in dir(builtins)}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.FunctionDef(name=name, args=arguments):
                    taken = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
                    names.setdefault(name, set()).update(each.arg for each in taken)
                case ast.ClassDef(name=name) | ast.Name(id=name) | ast.Attribute(attr=name):
                    names.setdefault(name, set())
                case ast.arg(arg=name):
                    names.setdefault(name, set())
                case ast.Constant(value=str() as name) if name.isidentifier():
                    names.setdefault(name, set())
    return names


def is_right(span: str) -> bool:
    """Whether there is such a function, with such arguments, or such a name."""
    if called := re.fullmatch(r"([A-Za-z_][\w.]*)\((.*)\)(?: -> .*)?", span):
        name = called[1].rpartition(".")[2]
        arguments = {word.strip() for word in called[2].split(",") if word.strip().isidentifier()}
        return name in names_in_code() and arguments <= names_in_code()[name]
    if re.fullmatch(r"hilum(?:_lab)?(?:\.\w+)+", span) and ".log" not in span:
        return _resolves(span)
    return not re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", span) or span in names_in_code()


def test_every_function_that_is_named_exists() -> None:
    """`send(files)`, `Inbox.store(part10)`, `write_all` and `hilum.testing.check_module`."""
    wrong = [f"{page}: {s}" for page, s in spans_of_pages() if not is_right(s) and s not in OTHERS]
    assert wrong == []


def _resolves(dotted: str) -> bool:
    """Whether it is a module, something in one, a settings file, or a group of entry points."""
    if dotted in ("hilum.toml", "hilum.db") or any(f'"{dotted}"' in p.read_text() for p in SOURCES):
        return True
    module, _, name = dotted.rpartition(".")
    for candidate, rest in ((dotted, ""), (module, name)):
        try:
            found = import_module(candidate)
        except ModuleNotFoundError:
            continue
        return not rest or hasattr(found, rest)
    return False


def test_every_file_of_ours_that_is_named_exists() -> None:
    """`bench/idle.py`, `engine/durable.py`, `flow.py`: below the root, or below a package."""
    hilum = ROOT / "src" / "hilum"
    packages = [path for path in hilum.iterdir() if (path / "__init__.py").exists()]
    roots = [ROOT, hilum, ROOT / "src" / "hilum_lab", *packages]
    absent = {
        f"{page}: {span}"
        for page, span in spans_of_pages()
        if re.fullmatch(r"[\w/]+\.(py|lua|toml)|[\w/]+/", span)
        and span not in FILES_OF_A_SITE
        and not any((root / span).exists() for root in roots)
    }
    assert absent == set()


FILES_OF_A_SITE = (
    "hilum.toml", "card.toml", "bright_volume.py", "pyproject.toml",
    "data/", "incoming/", "results/", "versions/", "quarantine/", "removed/", "partial/",
    "settings/", "assessments/",
)  # fmt: skip
