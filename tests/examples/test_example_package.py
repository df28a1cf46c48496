"""A package from outside adds one of each kind, each in one file, without an edit in Hilum."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hilum.acts.asking import ask
from hilum.config import parse
from hilum.config.reference import example
from hilum.dicom.instance import Instance
from hilum.errors import ConfigurationError
from hilum.kinds import (
    DESTINATIONS,
    EVERY_GROUP,
    FORMATS,
    HOSTS,
    NOTIFIERS,
    OBJECTS,
    SOURCES,
    WORKLISTS,
)
from hilum.records.states import RequestAction
from hilum.service.supervisor import EVERY_ROLE
from hilum.testing import write_series
from hilum_lab.package import write_package
from tests.system.site import running

from .package import EXAMPLE

ADDED = {
    DESTINATIONS: "shelf",
    SOURCES: "drop",
    OBJECTS: "numbers",
    HOSTS: "fresh",
    NOTIFIERS: "journal",
    WORKLISTS: "tray",
}


def test_its_own_tests_pass(example_package: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    finished = subprocess.run(
        command, cwd=EXAMPLE / "tests", capture_output=True, text=True, timeout=200
    )
    assert finished.returncode == 0, finished.stdout
    assert "7 passed" in finished.stdout


def test_each_kind_is_found_by_its_entry_point_and_is_one_file(example_package: Path) -> None:
    files = set()
    # a format comes with a module, which is another
    assert {*ADDED, FORMATS} == set(EVERY_GROUP)
    for group in ADDED:
        theirs = [kind for kind in group.each() if kind.package == "hilum-example"]
        assert [(kind.name, kind.problem) for kind in theirs] == [(ADDED[group], "")]
        files.add(Path(sys.modules[group.load(ADDED[group]).__module__].__file__ or ""))
    assert len(files) == len(ADDED)
    assert all(file.parent == example_package / "hilum_example" for file in files)


def test_its_settings_are_written_explained_and_checked(example_package: Path) -> None:
    text = example([], "")
    for kind in ("shelf", "drop", "fresh", "journal", "tray"):
        assert f'# kind = "{kind}"' in text
    assert "# Where the files are put." in text
    with pytest.raises(ConfigurationError, match="unknown setting foldr, did you mean 'folder'"):
        parse({"source": [{"name": "x", "kind": "drop", "folder": "x", "foldr": "x"}]})
    shelf = {"name": "x", "kind": "shelf", "url": "http://127.0.0.1:1", "objects": ["number"]}
    with pytest.raises(ConfigurationError, match="did you mean 'numbers'"):
        parse({"destination": [shelf]})


def test_what_a_destination_does_not_take_is_refused_at_the_start(example_package: Path) -> None:
    pacs = {"name": "pacs", "kind": "dimse", "objects": ["sr", "numbers"]}
    with pytest.raises(
        ConfigurationError, match="'numbers' is application/json, which kind 'dimse'"
    ):
        parse({"destination": [pacs]}).destination[0].check()
    folder = {"name": "out", "kind": "folder", "folder": "out", "objects": ["sr", "numbers"]}
    parse({"destination": [folder]}).destination[0].check()


MUTE = """
class Mute:
    media_type, refers_to = "text/plain", ()

    def write(self, writing):
        return [b"said once"]
"""


def install_mute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more kind of result object, which cannot be taken back."""
    write_package(folder, "mute", {"mute": "mute:Mute"}, OBJECTS.group)
    (folder / "mute.py").write_text(MUTE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ['PYTHONPATH']}")


def test_a_study_goes_through_all_of_them(
    example_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shelf_server import running_shelf  # of the example's own tests

    install_mute(tmp_path / "mute", monkeypatch)
    drop = tmp_path / "drop"
    drop.mkdir()
    files = write_series(tmp_path / "exam")
    study = Instance.read(files[0]).study_uid
    with running_shelf() as server:
        # The files may lie there before the source is first used.
        watched = {"folder": drop, "since": "beginning", "poll_seconds": 0.2}
        settings = {
            "source": [{"name": "drop", "kind": "drop", **watched}],
            "destination": [
                {"name": "shelf", "kind": "shelf", "url": server.url},
                {
                    "name": "out",
                    "kind": "folder",
                    "folder": tmp_path / "out",
                    "objects": ["numbers"],
                },
                {"name": "mute", "kind": "folder", "folder": tmp_path / "m", "objects": ["mute"]},
            ],
            "host": [{"module": "bright-part", "kind": "fresh"}],
            "rule": [{"module": "bright-part", "send_to": ["shelf", "out", "mute"]}],
        }
        with running(tmp_path, EVERY_ROLE, **settings) as hilum:
            for path in files:
                shutil.copy(path, drop)
            [item] = hilum.settled(study).workitems
            assert item.state == "completed"
            written = {result.kind: result for result in item.results}
            assert {r.kind: r.media_type for r in item.results} == {
                "numbers": "application/json",
                "mute": "text/plain",
            }
            result = written["numbers"]
            media_type, content = server.shelf[f"/{result.identity}"]
            assert media_type == "application/json"
            told = json.loads(content)
            assert told["study"] == study
            assert [m["what"] for m in told["measured"]] == ["Volume"]
            [in_folder] = (tmp_path / "out").rglob("*.json")
            assert in_folder.read_bytes() == content

            reason = "Of another structure."
            done, answer = ask(
                hilum.records, hilum.site.data, RequestAction.WITHDRAW, item.id, reason
            )
            assert done
            assert answer.startswith(
                "withdrawn; a note goes to out, shelf; its mute at mute cannot be taken back"
            )
            both = hilum.settled(study, workitems=2).workitems
            assert {i.state for i in both} == {"withdrawn", "completed"}
            note = json.loads(list(server.shelf.values())[-1][1])
            assert note["withdrawn"] == [result.identity]
            assert note["reason"] == reason
    assert len(server.shelf) == 2


PAGES = {
    "add-a-destination": "shelf",
    "add-a-source": "drop",
    "add-a-result-object": "numbers",
    "add-a-host": "fresh",
    "add-a-worklist": "tray",
}


@pytest.mark.parametrize("page", PAGES)
def test_the_guides_show_the_files_that_are_tested(page: str) -> None:
    text = (EXAMPLE.parents[1] / "docs" / "how-to" / f"{page}.md").read_text()
    name = PAGES[page]
    assert (EXAMPLE / "hilum_example" / f"{name}.py").read_text() in text
    assert (EXAMPLE / "tests" / f"test_{name}.py").read_text() in text
