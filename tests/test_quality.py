"""Lint, formatting, types and the import contract, as one would run them by hand."""

import ast
import runpy
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["mypy"],
        ["ruff", "check", "."],
        ["ruff", "check", "hilum"],
        ["ruff", "format", "--check", "."],
        ["lint-imports"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_tool_is_content(command: list[str]) -> None:
    finished = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.filterwarnings("ignore")  # which are theirs, not those of what they import
@pytest.mark.parametrize("path", sorted((ROOT / "bench").glob("*.py")), ids=lambda path: path.stem)
def test_every_benchmark_finds_what_it_imports(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here, where most of it is loaded: a process for each takes as long as 500 small tests."""
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    monkeypatch.syspath_prepend(str(path.parent))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0, capsys.readouterr().err
    assert "usage" in capsys.readouterr().out.lower()


TWO_MEANINGS = {  # a class and its fellow, and why both bear the name
    "Study": "the images of a study, and its row in the records",
    "Cure": "what a person can do about a cause, and what the laboratory does to try a printed one",
    "Film": "a film, and the block of a sheet that shows one",
}


def test_a_name_stands_for_one_class() -> None:
    modules = defaultdict(list)
    for path in (ROOT / "src").rglob("*.py"):
        if "hilum_module" in path.parts:
            continue  # there, what a module imports has the names that it has in Hilum
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules[node.name].append(path.name)
    double = {name: where for name, where in modules.items() if len(where) > 1}
    assert {name: double[name] for name in double.keys() - TWO_MEANINGS} == {}


def test_whatever_catches_everything_says_why() -> None:
    """It stands at the border of a plug-in, or around one study, delivery or request."""
    without = []
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ExceptHandler) and _catches_everything(node):
                comment = text.splitlines()[node.lineno - 1].partition("#")[2]
                if len(comment.replace("noqa: BLE001", "").strip(" -")) < 10:
                    without.append(f"{path.name}:{node.lineno}")
    assert without == []


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    """Whether it ends any error; one that cleans up and raises it again does not."""
    named = "" if handler.type is None else ast.unparse(handler.type)
    last = handler.body[-1]
    raises_again = isinstance(last, ast.Raise) and last.exc is None
    return named in ("", "Exception", "BaseException") and not raises_again


def test_only_weights_and_tables_of_the_standard_are_large() -> None:
    """A wheel, an image or an exam that slips into a commit stays in its history for ever."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no git repository")
    files = [ROOT / name for name in listed.stdout.splitlines()]
    large = [f.name for f in files if f.is_file() and f.stat().st_size > 400_000]
    tables = ["codes.txt"]  # what modules look up in PS3.16, where they have no pydicom
    assert [name for name in large if not name.endswith(".onnx") and name not in tables] == []
