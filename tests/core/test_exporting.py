"""All measurements as a table: the numbers on record, and nothing that names a patient."""

import csv
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from factory import a_study, a_workitem, put
from hilum.assessments.decision import AssessmentDecision
from hilum.audit import AuditedAct, AuditOutcome, AuditStore, audit_file
from hilum.cli import app
from hilum.errors import ConfigurationError, HilumError, MissingPartError
from hilum.exporting import COLUMNS, IDENTIFIED_COLUMNS
from hilum.exporting.rows import rows_of
from hilum.exporting.tables import write_table
from hilum.pseudonyms import Pseudonyms, site_key
from hilum.records import Records, exports
from hilum.records.assessed import Assessment
from hilum.records.exports import ExportedRun, ExportFilter
from hilum.records.listed import StudyIdentifiers
from hilum.records.states import WorkitemKind, WorkitemState
from hilum.study.verdict import Verdict
from hilum.summary.numbers import (
    ChangeSummary,
    ClassificationSummary,
    MeasurementSummary,
    SegmentSummary,
)
from hilum.summary.pictures import HeatMapSummary
from hilum.summary.remarks import NoteSummary, RefusalSummary
from hilum.summary.shapes import AngleSummary, LengthSummary

DONE = WorkitemState.COMPLETED
MARKERS = ("PID4711", "MARKER", "ACC42", "20260304", "1.5.1", "1.6.1", "1.9.7", "T1 crop", "of Mia")
FINDINGS = (
    MeasurementSummary("Volume", 3.379, "ml", of="Left", uncertainty=0.17, followed=True),
    ChangeSummary("Left", "2025-03-04", -0.2, "ml", 0.1, -5.9, 2.9),
    SegmentSummary("Left", 3379, 3.379),
    SegmentSummary("Trace", 1),
    ClassificationSummary("effusion", "Effusion.", scores={"effusion": 0.9, "none": 0.1}),
    HeatMapSummary("effusion"),
    NoteSummary("Much motion.", caution=True),
    MeasurementSummary("Angle", 12.0, "deg", image="1.9.7"),
    LengthSummary("Rim", 40.5, ((0.0, 0.0), (40.5, 0.0)), image="1.9.7"),
    AngleSummary("Tilt", 7.5, ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), image="1.9.7"),
)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    """Two studies of one patient and one of another; five runs, one refused, one taken back."""
    (tmp_path / "data").mkdir(mode=0o700)
    with closing(Records(f"sqlite:///{tmp_path}/data/hilum.db")) as records:
        series = Verdict("series", "1.6.1", "=T1 crop", 32, True, ("it matches",))
        for number, patient in ((1, "PID4711"), (2, "PID4711"), (3, "PID0815")):
            put(records, a_study(study_uid=f"1.5.{number}", folder=f"{number}"))
            said = StudyIdentifiers(patient, "", "MARKER^Mia", "ACC42", "20260304", "T1 crop")
            assert records.identifiers.note_older(f"1.5.{number}", said)
        about: dict[str, Any] = {"study_uid": "1.5.1", "state": DONE, "verdicts": (series,)}
        put(
            records,
            a_workitem(id="1", **about, findings=FINDINGS, created=10.0, incomplete="2 slices"),
            a_workitem(id="0", **about, findings=FINDINGS[:1], superseded_by="1"),
            a_workitem(
                id="2", study_uid="1.5.2", state=DONE, findings=(RefusalSummary("thin", "t"),)
            ),
            a_workitem(id="3", study_uid="1.5.3", module="other", state=WorkitemState.WITHDRAWN),
            a_workitem(id="4", study_uid="1.5.3", state=WorkitemState.SCHEDULED, created=30.0),
            a_workitem(id="5", study_uid="1.5.3", kind=WorkitemKind.NOT_RUN, state=DONE),
        )
        for who, decision in (("anna", "rejected"), ("bob", "accepted"), ("anna", "supplemented")):
            said_by = (who, who, AssessmentDecision(decision), "=left of Mia")
            assert records.assessments.add(Assessment("1", 0, 1.0, *said_by))
        yield records


@pytest.fixture
def config(records: Records, tmp_path: Path) -> Path:
    (tmp_path / "hilum.toml").write_text(f'data = "{tmp_path}/data"\n')
    return tmp_path / "hilum.toml"


def hilum(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "-c", str(config)], env={"COLUMNS": "200"})


def exported(config: Path, name: str, *options: str) -> list[dict[str, str]]:
    file = config.parent / name
    done = hilum(config, "export", str(file), *options)
    assert done.exit_code == 0, done.exception
    assert file.stat().st_mode & 0o777 == 0o600
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def test_every_number_is_there_with_what_it_has_to_be_read_with(config: Path) -> None:
    rows = exported(config, "out.csv", "--identified")
    assert list(rows[0]) == list(COLUMNS)
    numbers = [(r["workitem"], r["kind"], r["of"], r["what"], r["value"], r["unit"]) for r in rows]
    assert numbers == [
        ("0", "measurement", "Left", "Volume", "3.379", "ml"),
        ("1", "measurement", "Left", "Volume", "3.379", "ml"),
        ("1", "change", "Left", "change since an earlier exam", "-0.2", "ml"),
        ("1", "segment", "Left", "volume", "3.379", "ml"),
        ("1", "score", "effusion", "effusion", "0.9", "1"),
        ("1", "score", "effusion", "none", "0.1", "1"),
        ("1", "measurement", "", "Angle", "12.0", "deg"),
        ("1", "length", "Rim", "length", "40.5", "mm"),
        ("1", "angle", "Tilt", "angle", "7.5", "deg"),
        ("2", "", "", "", "", ""),
        ("3", "", "", "", "", ""),
        ("4", "", "", "", "", ""),
    ]
    first, last = rows[1], rows[6]
    assert (first["patient"], first["study"], first["series"]) == ("PID4711", "1.5.1", "1.6.1")
    assert (first["incomplete"], first["low_confidence"], first["images"]) == ("true", "true", "32")
    assert [rows[n]["superseded"] for n in (0, 1)] == ["true", "false"]
    assert (last["image"], rows[2]["percent_per_year"]) == ("1.9.7", "-5.9")
    assert rows[2]["percent_per_year_uncertainty"] == "2.9"
    said = [
        first[name] for name in ("assessment", "readers", "accepted", "rejected", "supplemented")
    ]
    assert said == ["readers disagree", "2", "1", "0", "1"]
    assert [row["refusal"] for row in rows[9:]] == ["thin", "", ""]
    assert [row["state"] for row in rows[9:]] == ["completed", "withdrawn", "scheduled"]
    # no spreadsheet takes what came from elsewhere for a formula
    assert (first["reasons"][:2], first["series_description"]) == ("'=", "'=T1 crop")


def test_nothing_in_it_names_a_patient_unless_it_is_wished(config: Path) -> None:
    rows = exported(config, "out.csv")
    assert list(rows[0]) == [name for name in COLUMNS if name not in IDENTIFIED_COLUMNS]
    text = (config.parent / "out.csv").read_text()
    assert [marker for marker in MARKERS if marker in text] == []
    plain = exported(config, "plain.csv", "--identified")
    assert [m for m in MARKERS if m not in (config.parent / "plain.csv").read_text()] == ["MARKER"]
    for name in ("patient", "study", "workitem"):  # one pseudonym for each, and each its own
        pairs = {(known[name], row[name]) for known, row in zip(plain, rows, strict=True)}
        assert len(pairs) == len({one for one, _ in pairs}) == len({one for _, one in pairs})
        assert all(re.fullmatch("[0-9a-f]{32}", pseudonym) for _, pseudonym in pairs)
    assert {row["study_year"] for row in rows} == {"2026"}
    assert exported(config, "again.csv") == rows
    (config.parent / "data" / "export.key").unlink()  # another site has another key
    other = exported(config, "other.csv")
    assert not {row["patient"] for row in other} & {row["patient"] for row in rows}


def test_runs_are_chosen_by_time_and_module(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PORTION", 2)

    def found(name: str, *options: str) -> set[str]:
        return {row["workitem"] for row in exported(config, name, "--identified", *options)}

    assert found("all.csv") == {"0", "1", "2", "3", "4"}
    assert found("other.csv", "--module", "other") == {"3"}
    assert found("late.csv", "--since", "1971-01-01") == set()
    assert found("early.csv", "--until", "1971-01-01", "--module", "m") == {"0", "1", "2", "4"}


def test_the_same_on_both_databases(database: str) -> None:
    with closing(Records(database)) as records:
        put(records, a_study(), a_workitem(id="7", study_uid="1.2", state=DONE, created=5.0))
        for wanted, number in (
            (ExportFilter(), 1),
            (ExportFilter(6.0), 0),
            (ExportFilter(0, 5.0), 0),
        ):
            assert len(list(records.exports.runs(wanted))) == number


def test_parquet_holds_the_same_with_types(config: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    exported(config, "out.csv")
    assert hilum(config, "export", str(config.parent / "out.parquet")).exit_code == 0
    with duckdb.connect() as connection:
        of_csv = connection.read_csv(f"{config.parent}/out.csv", dtype={"version": "VARCHAR"})
        of_parquet = connection.read_parquet(f"{config.parent}/out.parquet")
        assert of_csv.fetchall() == of_parquet.fetchall()
        types = dict(zip(of_parquet.columns, map(str, of_parquet.types), strict=True))
        of_left = of_parquet.filter("kind = 'measurement' AND \"of\" = 'Left'")
        mean = of_left.aggregate("module, avg(value)", "module").fetchall()
        assert mean == [("m", pytest.approx(3.379))]
    assert (types["value"], types["images"]) == ("DOUBLE", "BIGINT")
    assert (types["incomplete"], types["patient"]) == ("BOOLEAN", "VARCHAR")


@pytest.mark.parametrize("mark", [*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20"])
def test_no_text_of_a_csv_is_taken_for_a_formula(tmp_path: Path, mark: str) -> None:
    [plain] = rows_of(
        ExportedRun(a_workitem(id="1", state=DONE, findings=()), "", "", "", "", ()), None
    )
    text = f"{mark}cmd|' /C calc'!A0"
    write_table(tmp_path / "out.csv", [replace(plain, of=text, reasons=f"a{text}", value=-1.5)])
    with (tmp_path / "out.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["of"], row["reasons"], row["value"]) == (f"'{text}", f"a{text}", "-1.5")


MISLEADING = (*"a;\t,'\"\n\r|ä-=1\\ #", "\r\n", "NULL", "true")  # for who guesses a dialect
TEXTS = st.lists(st.sampled_from(MISLEADING), max_size=30).map("".join)


@settings(max_examples=25)
@given(st.lists(st.tuples(TEXTS, TEXTS, st.floats(allow_nan=False, allow_infinity=False))))
@example([("\t-=\\,a||,,\\\\true=,", "ä'11", 1.0), ("-", '"', -0.1)])
def test_parquet_holds_every_text_and_number_as_it_is(told: list[tuple[str, str, float]]) -> None:
    duckdb = pytest.importorskip("duckdb")
    run = ExportedRun(a_workitem(id="1", state=DONE, findings=()), "", "", "", "", ())
    [plain] = rows_of(run, None)
    rows = [replace(plain, of=of, reasons=reasons, value=value) for of, reasons, value in told]
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder) / "out.parquet"
        assert write_table(file, rows) == len(rows)
        read = connection.read_parquet(str(file)).project('"of", reasons, value').fetchall()
    assert read == [(of or None, reasons or None, value) for of, reasons, value in told]


def test_pandas_reads_the_same_of_both(config: Path) -> None:
    pandas = pytest.importorskip("pandas")
    exported(config, "out.csv")
    assert hilum(config, "export", str(config.parent / "out.parquet")).exit_code == 0
    of_csv = pandas.read_csv(config.parent / "out.csv", dtype={"version": str})
    of_parquet = pandas.read_parquet(config.parent / "out.parquet", engine="pyarrow")
    assert list(of_csv.columns) == list(of_parquet.columns) and len(of_csv) == len(of_parquet) > 0
    for table in (of_csv, of_parquet):
        left = table[(table["kind"] == "measurement") & (table["of"] == "Left")]
        assert left["value"].tolist() == [pytest.approx(3.379)] * len(left) and len(left)
    values = of_csv["value"].tolist()
    assert values == pytest.approx(of_parquet["value"].tolist(), nan_ok=True)


def test_what_cannot_be_written_says_what_to_do(
    config: Path, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*words: str) -> BaseException:
        error = hilum(config, "export", *words).exception
        assert isinstance(error, HilumError)
        return error

    folder = config.parent
    assert "ends in neither .csv nor .parquet" in str(refused(f"{folder}/out.xlsx"))
    exported(config, "out.csv")
    assert "is there already" in str(refused(f"{folder}/out.csv"))
    assert "is no folder" in str(refused(f"{folder}/none/out.csv"))
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert isinstance(error := refused(f"{folder}/out.parquet"), MissingPartError)
    assert "name a file that ends in .csv" in str(error)
    exported(config, "cured.csv")
    assert {path.name for path in folder.glob("*out*")} == {"out.csv"}
    assert list(folder.glob(".hilum-export-*")) == []


def test_an_export_that_is_broken_off_leaves_nothing(records: Records, tmp_path: Path) -> None:
    def rows() -> Iterator[Any]:
        for run in records.exports.runs(ExportFilter()):
            yield from rows_of(run, None)
        raise HilumError("the database has gone")

    with pytest.raises(HilumError, match="has gone"):
        write_table(tmp_path / "out.csv", rows())
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_the_key_is_for_its_owner(config: Path) -> None:
    data = config.parent / "data"
    key = site_key(data)
    assert (len(key), site_key(data)) == (64, key)
    assert (data / "export.key").stat().st_mode & 0o777 == 0o600
    (data / "export.key").chmod(0o644)
    with pytest.raises(ConfigurationError) as error:
        site_key(data)
    assert str(error.value).endswith(f"chmod 600 {data / 'export.key'}")
    (data / "export.key").chmod(0o600)  # the cure
    assert site_key(data) == key
    same = Pseudonyms(key)
    assert same.of("patient", "1", "") != same.of("study", "1", "")
    assert same.of("patient", "", "") == ""


def test_an_export_is_on_record(config: Path) -> None:
    exported(config, "out.csv")
    exported(config, "plain.csv", "--identified")
    with closing(AuditStore(audit_file(config.parent / "data"))) as store:
        entries = [e for e in store.after(0, 100) if e.act is AuditedAct.EXPORTED]
    assert [(Path(e.object).name, e.reason, e.outcome) for e in entries] == [
        ("out.csv", "measurements, pseudonymous", AuditOutcome.ASKED),
        ("plain.csv", "measurements, identified", AuditOutcome.ASKED),
    ]
