"""What `hilum status` and the console say of a workitem besides its state."""

from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory import a_study, a_workitem, put
from hilum.cli import app
from hilum.records import Records, views
from hilum.records.states import WorkitemKind, WorkitemState
from hilum.summary import Summary
from hilum.summary.numbers import MeasurementSummary
from hilum.summary.remarks import NoteSummary, RefusalSummary

SENTENCE = "Could not be analysed, because the patient is a child."
REFUSAL = RefusalSummary("c", SENTENCE)
NOTE = NoteSummary("A remark.")
MEASUREMENT = MeasurementSummary("Volume", 1.0, "ml")

BOTH = "report with references to the segments, segmentation (binary)"


@pytest.fixture
def records(tmp_path: Path):
    (tmp_path / "hilum.toml").write_text(f'data = "{tmp_path}"\n')
    records = Records(f"sqlite:///{tmp_path}/hilum.db")
    put(records, a_study())
    yield records
    records.close()


def status(tmp_path: Path) -> str:
    words = ["status", "-c", str(tmp_path / "hilum.toml")]
    return CliRunner().invoke(app, words, env={"COLUMNS": "999"}).stdout


@pytest.mark.parametrize(
    ("findings", "refusal"),
    [
        ((REFUSAL,), SENTENCE),
        ((NOTE, REFUSAL), SENTENCE),
        ((RefusalSummary("c", "Because " * 99),), f"{'Because ' * 37}..."),
        ((REFUSAL, MEASUREMENT), None),  # one film of several
        ((MEASUREMENT, NOTE), None),
        ((), None),
        (None, None),
    ],
)
def test_a_refusal_does_not_look_like_a_success(
    records: Records, tmp_path: Path, findings: tuple[Summary, ...] | None, refusal: str | None
) -> None:
    done = {"state": WorkitemState.COMPLETED, "reason": "verified in out", "findings": findings}
    put(records, a_workitem(**done))
    (item,) = views.study(records, "1.2").workitems
    assert item.refusal == refusal
    said = f"refused: {refusal}  m 1.2.3" if refusal else "m 1.2.3"
    assert f"completed  {said}  verified in out" in status(tmp_path)


@pytest.mark.parametrize("kind", WorkitemKind)
def test_a_note_that_takes_a_result_back_is_called_so(
    records: Records, tmp_path: Path, kind: WorkitemKind
) -> None:
    put(records, a_workitem(kind=kind, state=WorkitemState.COMPLETED))
    (item,) = views.study(records, "1.2").workitems
    assert item.kind is kind
    said = "withdrawal note of m 1.2.3" in status(tmp_path)
    assert said is (kind is WorkitemKind.WITHDRAWAL)


OWN = "the module's own objects"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", f"segmentation (binary), report with outlines, picture, PDF, {OWN}, parametric maps"),
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


def test_an_empty_list_is_said_and_who_may_send(tmp_path: Path) -> None:
    (tmp_path / "hilum.toml").write_text(f'data = "{tmp_path}"\nreceiver.low_water_mb = 0\n')
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records:
        nothing = "no study has come yet; `hilum serve` listens as HIPPOAI on 127.0.0.1:11112"
        assert nothing in status(tmp_path).splitlines()
        put(records, a_study())
        assert "no study" not in status(tmp_path)
        words = ["status", "--state", "failed", "-c", str(tmp_path / "hilum.toml")]
        assert "none of 1 study matches" in CliRunner().invoke(app, words).stdout


def test_a_study_that_no_rule_can_look_at_is_not_called_receiving(
    records: Records, tmp_path: Path
) -> None:
    records.studies.reviewed("1.2", 3, 0.0, 0, reason="cannot be judged: TypeError in a.py")
    line = "3 images  cannot be judged  TypeError in a.py"
    assert line in status(tmp_path)
    records.studies.reviewed("1.2", 3, 0.0, 0, reason="3 images", patience=5.0)
    assert "3 images  receiving" in status(tmp_path)
