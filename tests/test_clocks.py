"""No test depends on how fast the machine is, or how busy.

A test that compares seconds fails on a busy machine, and passes a slow product on a fast one. What
is to be quick is tested by what it does: calls, queries or bytes are counted (`tests.effort`), a
clock is given, what would hang hangs without end (`patience.NEVER`), or it is looked what comes
first.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# They serve nothing but to measure how long something takes.
STOPWATCHES = {
    *("monotonic", "perf_counter", "process_time", "thread_time", "timeit", "elapsed"),
    *("monotonic_ns", "perf_counter_ns", "process_time_ns", "thread_time_ns"),
    *("getrusage", "cpu_times"),
}
CLOCKS = {"time", "time_ns"}  # of the module time
MAY_MEASURE = {
    "patience.py": "it ends what waits for ever",
    "guard.py": "it gives what ends a while to do so",
    "leftovers.py": "it gives what ends a while to do so",
    "records/old/make.py": "it was run once, by versions of long ago",
}
MAY_COMPARE = {
    "transport/test_dicom_tls.py": "a day more or less of three months",
}
REQUESTS = {"Client", "AsyncClient", "get", "post", "put", "delete", "head", "request", "stream"}


def measured(tree: ast.Module) -> Iterator[int]:
    """The lines that take the time of something, or limit that of an example."""
    for node in ast.walk(tree):
        is_stopwatch = (
            (isinstance(node, ast.Attribute) and node.attr in STOPWATCHES)
            or (isinstance(node, ast.Name) and node.id in STOPWATCHES)
            or (isinstance(node, ast.alias) and node.name in STOPWATCHES)
        )
        is_limit = isinstance(node, ast.keyword) and node.arg == "deadline" and not _is_none(node)
        if is_stopwatch or is_limit:
            yield node.lineno


def compared(tree: ast.Module) -> Iterator[int]:
    """The lines that assert something of the time of day, as it is then."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            inside = list(ast.walk(node.test))
            if any(isinstance(one, ast.Compare) for one in inside) and any(map(_is_clock, inside)):
                yield node.lineno


def _is_none(keyword: ast.keyword) -> bool:
    return isinstance(keyword.value, ast.Constant) and keyword.value.value is None


def _is_clock(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {f"time.{n}" for n in CLOCKS}


def test_no_test_measures_time() -> None:
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        name = str(path.relative_to(ROOT / "tests"))
        tree = ast.parse(path.read_text())
        lines = [] if name in MAY_MEASURE or path == Path(__file__) else list(measured(tree))
        lines += [] if name in MAY_COMPARE else compared(tree)
        found += [f"{name}:{line}" for line in lines]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "began = time.monotonic()",
        "from time import perf_counter",
        "assert client.get('/').elapsed < limit",
        "taken = resource.getrusage(who)",
        "@settings(deadline=200)\ndef test(): pass",
        "assert time.time() - began < 5",
        "assert 3 < alarm.since - round(time.time())",
    ],
)
def test_what_measures_time_is_found(text: str) -> None:
    tree = ast.parse(text)
    assert [*measured(tree), *compared(tree)]


@pytest.mark.parametrize("text", ["at = time.time()", "settings(deadline=None)", "assert at < 5"])
def test_what_only_reads_a_clock_is_none_of_that(text: str) -> None:
    tree = ast.parse(text)
    assert [*measured(tree), *compared(tree)] == []


def test_whoever_asks_by_http_says_how_long_to_wait() -> None:
    """The usual limit of httpx would do, but tests have another one: see `conftest`."""
    found = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in {f"httpx.{name}" for name in REQUESTS}
                and "timeout" not in {keyword.arg for keyword in node.keywords}
            ):
                found.append(f"{path.name}:{node.lineno}")
    assert found == []
