"""`hilum find`, and commands that take the address of a study, on the command line."""

import json
import re
import shlex
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory import a_delivery, a_study, a_workitem, put
from hilum.cli import app
from hilum.records import Records
from hilum.records.listed import StudyIdentifiers
from hilum.records.states import DeliveryState, EventKind, WorkitemState
from hilum.summary.numbers import MeasurementSummary
from hilum.summary.remarks import NoteSummary

SAID = StudyIdentifiers(
    patient_id="4711",
    patient_name="Müller^Jörg",
    accession_number="A77",
    study_date="20261129",
    description="Brain [MR]",
    modalities=("MR",),
)
VOLUME = MeasurementSummary("Volume", 3.384, "ml", "Left hippocampus")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """22 studies: one that is held, and those of Müller, the newest of which has a result."""
    folder = tmp_path_factory.mktemp("studies")
    with closing(Records(f"sqlite:///{folder}/hilum.db")) as records:
        for number in range(22):
            uid = f"1.2.{number}"
            put(records, a_study(study_uid=uid, folder=uid, last_at=float(number)))
            said = SAID if number else StudyIdentifiers()
            records.studies.reviewed(uid, 3, float(number), 3, said)
        records.events.add("1.2.21", EventKind.COMPLETE, "enough")
        held = {"state": WorkitemState.HELD, "reason": "3 slices are missing"}
        put(records, a_workitem(id="9.0", study_uid="1.2.0", **held))
        caution = NoteSummary("Low confidence: motion.", caution=True)
        about = {"state": WorkitemState.COMPLETED, "findings": (VOLUME, caution)}
        put(records, a_workitem(id="9.21", study_uid="1.2.21", **about))
        put(records, a_delivery("9.21", state=DeliveryState.VERIFIED))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """With a copy of these studies, and settings."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    (tmp_path / "hilum.toml").write_text(f'data = "{tmp_path}"\n')
    return tmp_path


def hilum(folder: Path, *words: str, typed: str = "") -> str:
    arguments = [*words, "-c", str(folder / "hilum.toml")]
    ended = CliRunner().invoke(app, arguments, env={"COLUMNS": "999"}, input=typed)
    return ended.stdout + str(ended.exception or "")


def test_a_study_is_shown_with_who_why_and_how_far(folder: Path) -> None:
    shown = hilum(folder, "find", "müller", "--state", "completed")
    first, second, third, total = shown.splitlines()
    assert re.fullmatch(
        r"\S+ \S+  [a-z][a-z0-9]{11}  Müller Jörg  ID 4711  accession A77  MR  2026-11-29  "
        r"Brain \[MR\]  3 images",
        first,
    )
    assert second == (
        "    completed  Left hippocampus, volume: 3.38 mL  shown by 1 of 1 destination"
    )
    assert third == "    caution: Low confidence: motion."
    assert total == "1 study, page 1/1"


def test_the_command_for_the_next_page_shows_it(folder: Path) -> None:
    first = hilum(
        folder, "find", "jorg", "--patient", "47*", "--date", "2026-11", "--sort", "oldest"
    )
    assert "21 studies, page 1/2" in first
    (command,) = re.findall(r"`(hilum find .*?)` shows the next ones", first)
    second = hilum(folder, *shlex.split(command)[1:])
    assert second.count("images") == 1
    assert "completed" in second
    assert "21 studies, page 2/2" in second


def test_words_may_come_from_standard_input(folder: Path) -> None:
    """So that no other user of the machine sees them."""
    assert "21 studies" in hilum(folder, "find", "-", typed="JORG mül\n")
    assert "`hilum find - --page 2`" in hilum(folder, "find", "-", typed="JORG\n")
    assert "0 studies" in hilum(folder, "find", "-", typed="nobody\n")


def test_older_studies_that_are_not_read_yet_are_counted(folder: Path) -> None:
    with closing(Records(f"sqlite:///{folder}/hilum.db")) as records:
        put(records, a_study(study_uid="1.3", folder="1.3"))
    assert "1 older study may be missing" in hilum(folder, "find")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--patient", "47"], 0),
        (["--accession", "a77"], 21),
        (["--name", "jörg müller"], 21),
        (["--description", "brain"], 21),
        (["--modality", "mr"], 21),
        (["--module", "m"], 2),
        (["--state", "held", "--state", "completed"], 2),
        (["--reason", "SLICES missing"], 1),
        (["--date", "2026-11-30.."], 0),
        (["--date", "..2026-11-29"], 21),
        (["--date", "2026-11-29"], 21),
    ],
)
def test_each_option(folder: Path, options: list[str], found: int) -> None:
    assert json.loads(hilum(folder, "find", "--json", *options))["total"] == found


@pytest.mark.parametrize("day", ["yesterday", "2026-13", "2026-02-30", "2026", "2026-11-29..x"])
def test_what_is_no_date_is_refused_with_examples(folder: Path, day: str) -> None:
    said = hilum(folder, "find", "--date", day)
    assert "is no date: write 2026-11-29, 2026-11, or 2026-11-01..2026-11-29" in said


def test_status_chooses_among_studies_and_shows_no_patient(folder: Path) -> None:
    shown = hilum(folder, "status", "--state", "held", "--reason", "missing", "--modality", "MR")
    assert "0 studies, page 1/1 of 22" in shown
    shown = hilum(folder, "status", "--state", "held", "--module", "m")
    assert "1.2.0  3 images  held" in shown
    assert "1 study, page 1/1 of 22" in shown
    everything = hilum(folder, "status") + hilum(folder, "status", "--json")
    for text in ("4711", "ller", "A77", "Brain"):
        assert text not in everything


def test_status_names_the_same_choice_for_its_next_page(folder: Path) -> None:
    with closing(Records(f"sqlite:///{folder}/hilum.db")) as records:
        for number in range(101):
            uid = f"1.3.{number}"
            put(records, a_study(study_uid=uid, folder=uid, last_at=float(number)))
            held = {"state": WorkitemState.HELD, "reason": "it's why"}
            put(records, a_workitem(id=f"8.{number}", study_uid=uid, **held))
    first = hilum(folder, "status", "--reason", "it's why", "--unfinished")
    (command,) = re.findall(r"`(hilum status .*?)` shows the next ones", first)
    second = hilum(folder, *shlex.split(command)[1:])
    assert second.count("images  held") == 1


def test_a_study_is_traced_by_its_address(folder: Path) -> None:
    (study,) = json.loads(hilum(folder, "find", "--json", "--state", "completed"))["studies"]
    assert "enough" in hilum(folder, "trace", study["address"])
    assert "no study ends in k7q2m9x4c3w8" in hilum(folder, "trace", "k7q2m9x4c3w8")
    said = hilum(folder, "retry", study["address"])
    assert "nothing of this study can be tried again" in said
