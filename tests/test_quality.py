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


EVERYTHING = {"", "Exception", "BaseException"}
PLUG_IN = "what somebody else has written, or brings, may raise anything"
ONE_OF_MANY = "one unit of work ends with the reason, and the others go on"
CATCHES_EVERYTHING = {  # the functions in which any error is caught, and why
    "hilum/acts/fetching.py": {"attempt": ONE_OF_MANY},
    "hilum/acts/requests.py": {"obey": ONE_OF_MANY},
    "hilum/alarms/telling.py": {"tell_next": PLUG_IN},
    "hilum/cli/further.py": {"register_all": PLUG_IN},
    "hilum/console/drawing.py": {"draw": ONE_OF_MANY},
    "hilum/console/mishaps.py": {"__call__": ONE_OF_MANY},
    "hilum/hosts/beginning.py": {"_told": PLUG_IN, "_objection": PLUG_IN},
    "hilum/hosts/elsewhere.py": {"_said": ONE_OF_MANY},
    "hilum/hosts/inside.py": {"serve": PLUG_IN, "_run": PLUG_IN},
    "hilum/kinds.py": {"load": PLUG_IN},
    "hilum/logs.py": {"going_on": ONE_OF_MANY, "emit": ONE_OF_MANY},
    "hilum/module/description.py": {"parameters_declared": PLUG_IN},
    "hilum/module/origin.py": {"load": PLUG_IN, "_with_model": PLUG_IN},
    "hilum/modules/onnx.py": {"session_of_site": PLUG_IN},
    "hilum/objects/__init__.py": {"_other_notes": PLUG_IN, "_written": PLUG_IN},
    "hilum/offline/__init__.py": {"_contained": ONE_OF_MANY},
    "hilum/service/following.py": {"check_text": PLUG_IN},
    "hilum/study/flow.py": {"look_at": ONE_OF_MANY, "analyse": ONE_OF_MANY, "fail": ONE_OF_MANY},
    "hilum/study/outbox.py": {"_attempt": ONE_OF_MANY},
    "hilum/uploading/child.py": {"_problem": ONE_OF_MANY},
    "hilum/watching/fetching.py": {"_take": ONE_OF_MANY, "_trouble": PLUG_IN},
    "hilum/why/archives.py": {"_ask": ONE_OF_MANY},
    "hilum_module/serving.py": {"serve": PLUG_IN, "_run": PLUG_IN},
}


def test_everything_is_caught_only_around_a_plug_in_or_one_of_many() -> None:
    """Elsewhere, the errors that can come are named, and any other one is seen."""
    found = defaultdict(list)
    for path in sorted((ROOT / "src").rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                caught = sum(map(_catches_everything, ast.walk(function)))
                found[str(path.relative_to(ROOT / "src"))] += [function.name] * caught
    known = {name: sorted(functions) for name, functions in CATCHES_EVERYTHING.items()}
    assert {name: sorted(functions) for name, functions in found.items() if functions} == known


def test_whatever_catches_everything_says_why() -> None:
    without = []
    for name in CATCHES_EVERYTHING:
        text = (ROOT / "src" / name).read_text()
        for node in filter(_catches_everything, ast.walk(ast.parse(text))):
            comment = text.splitlines()[node.lineno - 1].partition("#")[2]
            if len(comment.replace("noqa: BLE001", "").strip(" -")) < 10:
                without.append(f"{name}:{node.lineno}")
    assert without == []


def _catches_everything(node: ast.AST) -> bool:
    """Whether it ends any error; what cleans up and raises it again does not."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
        return any(ast.unparse(each) in EVERYTHING for each in node.args)
    if not isinstance(node, ast.ExceptHandler):
        return False
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    named = {"" if kind is None else ast.unparse(kind) for kind in kinds}
    last = node.body[-1]
    raises_again = isinstance(last, ast.Raise) and last.exc is None
    return bool(named & EVERYTHING) and not raises_again


def test_only_weights_and_tables_of_the_standard_are_large() -> None:
    """A wheel, an image or an exam that slips into a commit stays in its history for ever."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no git repository")
    files = [ROOT / name for name in listed.stdout.splitlines()]
    large = [f.name for f in files if f.is_file() and f.stat().st_size > 400_000]
    tables = ["codes.txt"]  # what modules look up in PS3.16, where they have no pydicom
    assert [name for name in large if not name.endswith(".onnx") and name not in tables] == []
