"""Commands that show something begin at once: they import nothing that they do not need."""

import json
import os
import subprocess
import sys

import pytest

from hilum.records import Records
from hilum.records.states import EventKind

HEAVY = {
    "dbos",
    "highdicom",
    "httpx",
    "imagecodecs",
    "nibabel",
    "numpy",
    "onnxruntime",
    "openvino",
    "hilum.dicom.pixels",
    "hilum_lab.demo",
    "pydicom",
    "pynetdicom",
    "scipy",
    "sqlalchemy.dialects.postgresql",
    "starlette",
    "typst",
    "uvicorn",
}
EVERY_KIND = """
source = [
    { name = "orthanc", kind = "orthanc", url = "http://pacs:8042" },
    { name = "web", kind = "dicomweb", url = "http://pacs/dicom-web" },
]
destination = [
    { name = "pacs", kind = "dimse" },
    { name = "web", kind = "dicomweb", url = "http://pacs/dicom-web" },
    { name = "out", kind = "folder", folder = "out" },
]
rule = [{ module = "hippocampal-volume", series = { SeriesDescription = "T1" } }]
"""
# Every command in a process of its own, forked when no more is loaded than what all of them need.
PROGRAM = """
import json, os, sys
from hilum.cli import app
for words in sys.argv[1:]:
    if not os.fork():
        try:
            app(words.split(), prog_name="hilum")
        except SystemExit as end:
            assert not end.code or words.startswith("why"), end.code  # all is not well
        finally:
            print(json.dumps({words: sorted(sys.modules)}), file=sys.stderr, flush=True)
        break
    _, status = os.wait()
    assert status == 0, words
"""
COMMANDS = (
    "--help",
    "status",
    "status --json",
    "trace 1.2.3",
    "quarantine",
    "find x",
    "why 1.2.3 --records-only",
)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What each of the commands has imported."""
    folder = tmp_path_factory.mktemp("imports")
    (folder / "hilum.toml").write_text(f'data = "{folder}"\n{EVERY_KIND}')
    records = Records(f"sqlite:///{folder}/hilum.db")
    records.events.add("1.2.3", EventKind.RECEIVING, "first image received from CT1")
    records.close()
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, *COMMANDS],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    said = [json.loads(line) for line in finished.stderr.splitlines() if line.startswith("{")]
    return {words: set(names) for one in said for words, names in one.items()}


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_imports_nothing_heavy(imported: dict[str, set[str]], words: str) -> None:
    assert "hilum.cli" in imported[words]
    assert HEAVY & imported[words] == set()


def test_garbage_is_collected_once_the_commands_are_loaded() -> None:
    program = "import gc, hilum.cli; print(gc.isenabled())"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.stdout == "True\n", finished.stderr


def test_what_a_module_author_imports_is_there_when_asked_for() -> None:
    import hilum

    for name in hilum.__all__:
        assert getattr(hilum, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hilum.nothing  # noqa: B018


def test_who_asks_modules_for_their_facts_loads_nothing_that_runs_networks() -> None:
    """Gateway, console and worker do; the networks run in the children of the worker."""
    program = """
import sys
from hilum.module import facts_of, installed_modules
facts = [facts_of(module) for module in installed_modules().values()]
print(len(facts), *({"onnxruntime", "openvino"} & set(sys.modules)))
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert finished.stdout == "2\n"
