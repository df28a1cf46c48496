"""Commands that show something begin at once: they import nothing that they do not need."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hilum.cli
from hilum.cli import app
from hilum.cli.further import PANEL
from hilum.cli.group import FILES, OF_OTHERS, OURS, import_files
from hilum.cli.headers import NEEDLESS, OPTIONAL
from hilum.records import Records
from hilum.records.states import EventKind
from hilum.service.roles import PROCESSES
from hilum_lab.network.processes import available_port

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
ALONE = """
[[destination]]
name = "pacs"
kind = "dimse"
port = {}
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
QUICK = (
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
    """What each of the quick commands has imported."""
    return modules_of(tmp_path_factory.mktemp("quick"), EVERY_KIND, *QUICK)


@pytest.mark.parametrize("words", QUICK)
def test_a_command_imports_nothing_heavy(imported: dict[str, set[str]], words: str) -> None:
    assert "hilum.cli" in imported[words]
    assert HEAVY & imported[words] == set()


def modules_of(folder: Path, settings: str, *commands: str) -> dict[str, set[str]]:
    """What `hilum WORDS` has imported when it ends, for each, where one study is on record."""
    (folder / "hilum.toml").write_text(f'data = "{folder}"\n{settings}')
    records = Records(f"sqlite:///{folder}/hilum.db")
    records.events.add("1.2.3", EventKind.RECEIVING, "first image received from CT1")
    records.close()
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, *commands],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    said = [json.loads(line) for line in finished.stderr.splitlines() if line.startswith("{")]
    return {words: set(names) for one in said for words, names in one.items()}


def test_asking_an_archive_by_dimse_imports_nothing_for_pixels(tmp_path: Path) -> None:
    [imported] = modules_of(tmp_path, ALONE.format(available_port()), "why 1.2.3").values()
    assert {"pydicom", "pynetdicom"} <= imported
    assert imported & set(OPTIONAL) == set()
    assert not imported & {*NEEDLESS, "pydicom.data.download"}


def test_a_command_imports_the_file_of_no_other(imported: dict[str, set[str]]) -> None:
    shared = {"app", "finding", "group", "lines", "pausing"}
    files = {name.split(".")[2] for name in imported["status"] if name.startswith("hilum.cli.")}
    assert files <= {"state", *shared}


def test_each_command_is_in_the_file_that_is_said_to_bring_it() -> None:
    import_files()
    assert {f"{file}.py" for file in (*FILES, OF_OTHERS)} >= {
        path.name
        for path in Path(hilum.cli.__file__).parent.glob("*.py")
        if "@app.command" in path.read_text() or "app.add_typer" in path.read_text()
    }
    brought = [
        (function.__module__, command.name or function.__name__)
        for command in app.registered_commands
        if (function := command.callback) and command.rich_help_panel != PANEL
    ]
    for module, name in brought:
        assert name in FILES[module.removeprefix("hilum.cli.")]
    groups = {group.name for group in app.registered_groups}
    assert {name for _, name in brought} | groups == set(OURS)


@pytest.mark.parametrize("words", [["modules", "--help"], ["--help"], ["no-such-command"]])
def test_garbage_is_collected_once_a_command_is_loaded(words: list[str]) -> None:
    program = "import sys, gc, hilum.cli\ntry: hilum.cli.app()\nfinally: print(gc.isenabled())"
    finished = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    assert finished.stdout.endswith("True\n"), finished.stderr


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
from hilum.hosts.discovery import installed_modules
from hilum.module import facts_of
facts = [facts_of(module) for module in installed_modules().values()]
print(len(facts), *({"onnxruntime", "openvino"} & set(sys.modules)))
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert finished.stdout == "2\n"


def test_a_worker_imports_nothing_of_servers_before_a_module_asks_one() -> None:
    program = "import sys, hilum.service.worker, hilum.hosts.beginning; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    there = set(ran.stdout.split())
    assert "hilum.hosts.channel" in there
    assert not there & {"hilum.deidentification", "hilum.servers.at_server"}


def test_the_parent_of_all_processes_loads_nothing_that_only_they_need() -> None:
    program = """
import sys
import hilum.service.supervisor
from hilum.config import site_in
site_in(sys.argv[1])
print(*sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, EVERY_KIND], capture_output=True, text=True, check=True
    )
    there = set(ran.stdout.split())
    assert "hilum.service.tasks" in there
    assert not there & {
        *HEAVY,
        "PIL",
        "hilum.checking",
        "requests",
        "sqlalchemy",
        "dbos",
        "fastapi",
        "hilum.comparison",
        "hilum.study.flow",
        "psycopg",
        PROCESSES,
    }
