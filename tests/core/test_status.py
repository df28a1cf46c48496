"""What `hilum status` and the console say of a workitem besides its state."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory import workitem_row
from hilum.cli import app
from hilum.records import Records, tables, views
from hilum.records.states import State

STUDY = {"study_uid": "1.2", "folder": "f", "images": 3, "first_at": 1.0, "last_at": 2.0}
SENTENCE = "Could not be analysed, because the patient is a child."
REFUSAL = {"kind": "refusal", "code": "c", "text": SENTENCE}
NOTE = {"kind": "note", "text": "A remark."}
MEASUREMENT = {"kind": "measurement", "what": "Volume", "value": 1.0, "unit": "ml"}

BOTH = "report with references to the segments, segmentation (binary)"


@pytest.fixture
def records(tmp_path: Path):
    (tmp_path / "hilum.toml").write_text(f'data = "{tmp_path}"\n')
    records = Records(f"sqlite:///{tmp_path}/hilum.db")
    records.put(tables.study, **STUDY, settled_images=3)
    yield records
    records.close()


def status(tmp_path: Path) -> str:
    words = ["status", "-c", str(tmp_path / "hilum.toml")]
    return CliRunner().invoke(app, words, env={"COLUMNS": "999"}).stdout


@pytest.mark.parametrize(
    ("findings", "refusal"),
    [
        ([REFUSAL], SENTENCE),
        ([NOTE, REFUSAL], SENTENCE),
        ([REFUSAL | {"text": "Because " * 99}], f"{'Because ' * 37}..."),
        ([REFUSAL, MEASUREMENT], None),  # one film of several
        ([MEASUREMENT, NOTE], None),
        ([], None),
        (None, None),
    ],
)
def test_a_refusal_does_not_look_like_a_success(
    records: Records, tmp_path: Path, findings: list | None, refusal: str | None
) -> None:
    done = {"state": State.COMPLETED, "reason": "verified in out", "findings": findings}
    records.put(tables.workitem, **workitem_row(**done))
    (item,) = views.study(records, "1.2")["workitems"]
    assert item["refusal"] == refusal
    said = f"refused: {refusal}  m 1.2.3" if refusal else "m 1.2.3"
    assert f"completed  {said}  verified in out" in status(tmp_path)


@pytest.mark.parametrize(("kind", "is_note"), [("ko", True), ("sr", False)])
def test_a_note_that_takes_a_result_back_is_called_so(
    records: Records, tmp_path: Path, kind: str, is_note: bool
) -> None:
    records.put(tables.workitem, **workitem_row(state=State.COMPLETED))
    about = {"sop_instance_uid": "1.2.9", "sop_class_uid": "1.2.8", "path": "p", "variant": ""}
    records.put(tables.result, **about, workitem_id="1.2.3", kind=kind)
    (item,) = views.study(records, "1.2")["workitems"]
    assert item["is_withdrawal"] is is_note
    assert ("withdrawal note of m 1.2.3" in status(tmp_path)) is is_note


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", "segmentation (auto), report with outlines, picture, PDF"),
        ('objects = ["pdf"]', "PDF"),
        ('objects = ["sr", "seg"]\nregions = "segments"\nsegmentation = "binary"', BOTH),
    ],
)
def test_what_a_destination_receives_is_said_in_words(
    records: Records, tmp_path: Path, settings: str, words: str
) -> None:
    settings = f'[[destination]]\nname = "out"\nkind = "folder"\nfolder = "{tmp_path}"\n{settings}'
    with (tmp_path / "hilum.toml").open("a") as file:
        file.write(settings)
    command = ["destinations", "-c", str(tmp_path / "hilum.toml")]
    said = CliRunner().invoke(app, command, env={"COLUMNS": "999"}).stdout
    assert f"  receives {words}\n" in said
