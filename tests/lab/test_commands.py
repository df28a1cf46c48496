"""The laboratory's commands come by entry point, like those of any package; Hilum works without."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hilum.cli import app
from hilum.cli.group import FILES, OURS
from hilum.cli.new import NEEDED, next_steps
from hilum_lab.package import write_package

LABORATORY = ("demo", "chaos", "odd-input", "archives")
BLOCKED = """\
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hilum_lab":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from hilum.cli import main
main()
"""
GREETING = '''\
def greet() -> None:
    """Say hello."""
    print("hello")

def serve() -> None:
    """Not the service."""
'''


def run(
    *words: str, cwd: Path, program: tuple[str, ...] = ("-m", "hilum")
) -> subprocess.CompletedProcess[str]:
    """`hilum WORDS`, and what it printed."""
    command = [sys.executable, *program, *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def listed(text: str) -> list[str]:
    """The commands that `hilum --help` lists, in its order."""
    return re.findall(r"^│ ([a-z][a-z-]+) {2,}", text, re.M)


def test_help_lists_them_behind_the_others(tmp_path: Path) -> None:
    names = listed(run("--help", cwd=tmp_path).stdout)
    assert names[:3] == ["init", "check", "serve"]
    assert names[: -len(LABORATORY)] == list(OURS)
    assert set(OURS) == {name for of_file in FILES.values() for name in of_file}
    assert names[-4:] == sorted(LABORATORY)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["find", "--state", "foo"], "'foo' is not one of 'cannot be judged', 'parked', 'held'"),
        (["find", "--page", "x"], "a whole number is needed"),
        (["resend", "--to", "pacs", "--since", "now"], "a date is needed, such as 2026-11-29"),
        (["people", "add", "bob", "--role", "boss"], "'boss' is not one of 'viewer', 'reader'"),
    ],
)
def test_a_wrong_word_is_explained_in_words_of_ours(words: list[str], reason: str) -> None:
    told = CliRunner().invoke(app, words)
    said = " ".join(re.sub("[│╭╮╰╯─]", " ", told.output).split())
    assert reason in said, said
    assert "Value error" not in said and "Input should" not in said


def test_help_names_no_types_of_python() -> None:
    for words in (
        ["find"],
        ["resend"],
        [],
        ["people", "add"],
        ["run"],
        ["certificates"],
        ["fetch"],
    ):
        told = CliRunner().invoke(app, [*words, "--help"]).output
        assert not re.search(r"<(bool|str|int|datetime|list\[)", told), told
    assert re.search(r"--until +<date>", CliRunner().invoke(app, ["resend", "--help"]).output)


def test_a_new_module_comes_with_each_step_that_it_needs(tmp_path: Path) -> None:
    told = run("new", "module", "my-lesions", cwd=tmp_path)
    assert "-m pytest my-lesions" in told.stderr and "modules add my-lesions" in told.stderr
    steps = [" ".join(shlex.split(one)[1:4]) for one in next_steps(Path("a b"), NEEDED)]
    assert steps == ["-m pip install", "-m pytest a b", "-m pip install", "modules add a b"]


@pytest.mark.parametrize("command", LABORATORY)
def test_each_explains_itself(command: str, tmp_path: Path) -> None:
    told = run(command, "--help", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert f"hilum {command}" in told.stdout


def test_hilum_works_where_the_laboratory_is_not_there(tmp_path: Path) -> None:
    def hilum(*words: str) -> subprocess.CompletedProcess[str]:
        return run(*words, cwd=tmp_path, program=("-c", BLOCKED))

    told = hilum("--help")
    assert (told.returncode, told.stderr) == (0, "")
    assert {"serve", "init", "run", "send", "status"} <= set(listed(told.stdout))
    assert not set(LABORATORY) & set(listed(told.stdout))
    assert hilum("demo").returncode == 2
    assert hilum("init").returncode == 0
    assert "hippocampal-volume" in (tmp_path / "hilum.toml").read_text()
    assert "hippocampal-volume" in hilum("modules").stdout


def test_odd_input_says_how_to_get_what_it_lacks(tmp_path: Path) -> None:
    """That the launcher does so is tested with it (`test_launcher.py`)."""
    without = "import sys; sys.modules['SimpleITK'] = None; from hilum.cli import main; main()"
    told = run("odd-input", cwd=tmp_path, program=("-c", without))
    assert told.returncode == 1
    assert "`./hilum odd-input` in the source tree installs it" in told.stderr
    wrong = run("odd-input", "--only", "no such case", cwd=tmp_path)
    assert (wrong.returncode, "lists all" in wrong.stderr) == (1, True)


def test_other_packages_bring_commands_and_cannot_break_or_replace_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "greeting.py").write_text(GREETING)
    points = {"greet": "greeting:greet", "serve": "greeting:serve", "sigh": "greeting:absent"}
    write_package(tmp_path, "greeting", points, group="hilum.commands")
    path = [str(tmp_path), *filter(None, sys.path)]
    monkeypatch.setenv("PYTHONPATH", ":".join(path))
    assert run("greet", cwd=tmp_path).stdout == "hello\n"
    told = run("--help", cwd=tmp_path)
    assert listed(told.stdout).count("serve") == 1
    assert "Run Hilum with your PACS" in told.stdout
    assert "sigh of greeting:absent is left out: AttributeError" in told.stderr
    assert (
        "serve of greeting:serve is left out: there is another command of that name" in told.stderr
    )
    assert "Traceback" not in told.stderr
