"""A data folder and databases as the Hilum of 6b943b8 left them when it was killed at work."""

import base64
import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from hilum.engine import durable
from hilum.inbox import digest

from .databases import make_old, run
from .old.work import HERE, STOPPED, STUDIES, came

STOPPED_BEFORE = 60.0  # seconds

Rows = dict[str, list[dict[str, Any]]]


def leave(data: Path, records: str, engine: str) -> None:
    """Leave images and results in `data`, rows in the databases at the URLs `records`, `engine`."""
    shift = time.time() - STOPPED_BEFORE - STOPPED
    rows = _read("records.json", shift)
    for study in STUDIES:
        _store(data, came(study), rows["study"])
    for path, values in json.loads((HERE / "results.json").read_text()).items():
        _save(Dataset.from_json(values), data / path)
    for path, content in json.loads((HERE / "findings.json").read_text()).items():
        (data / path).write_bytes(base64.b64decode(content))
    make_old(records)
    _insert(records, rows)
    if "postgresql" in records:  # there, a number that is given is not counted
        run(records, f"SELECT setval(pg_get_serial_sequence('event', 'id'), {last_event()})")
    _in_a_process(_make_engine, engine)
    _insert(engine, _read("engine.json", 0.0), schema=None if "sqlite" in engine else "dbos")


def results_of(destination: str) -> dict[str, Dataset]:
    """The results that were made for a destination, by SOP Instance UID."""
    rows = _read("records.json", 0.0)
    theirs = {row["workitem_id"] for row in rows["delivery"] if row["destination"] == destination}
    files = json.loads((HERE / "results.json").read_text())
    return {
        row["sop_instance_uid"]: Dataset.from_json(files[row["path"].removeprefix("/srv/hilum/")])
        for row in rows["result"]
        if row["workitem_id"] in theirs
    }


def last_event() -> int:
    """The number of the last event that the older Hilum has written."""
    return max(row["id"] for row in _read("records.json", 0.0)["event"])


def _read(name: str, shift: float) -> Rows:
    found: Rows = json.loads((HERE / name).read_text())
    return {
        table: [{key: _shifted(value, shift) for key, value in row.items()} for row in rows]
        for table, rows in found.items()
    }


def _shifted(value: Any, shift: float) -> Any:
    return value + shift if isinstance(value, float) and value > STOPPED / 2 else value


def _store(data: Path, images: list[Dataset], studies: list[dict[str, Any]]) -> None:
    folder = digest(images[0].StudyInstanceUID)
    (row,) = (row for row in studies if row["folder"] == folder)
    for image in images:
        path = data / "incoming" / folder / f"{digest(image.SOPInstanceUID)}.dcm"
        _save(image, path)
        os.utime(path, (row["last_at"], row["last_at"]))


def _save(dataset: Dataset, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)


def _insert(url: str, rows: Rows, schema: str | None = None) -> None:
    database = sa.create_engine(url)
    known = sa.MetaData(schema=schema)
    with database.begin() as connection:
        for name in rows:
            table = sa.Table(name, known, autoload_with=connection)
            for row in rows[name]:
                connection.execute(table.insert().values(_typed(table, row)))
    database.dispose()


def _typed(table: sa.Table, row: dict[str, Any]) -> dict[str, Any]:
    """SQLite's values as the column's: it has no truth values, and JSON is text there."""
    return {
        key: bool(value)
        if isinstance(table.c[key].type, sa.Boolean)
        else json.loads(value)
        if isinstance(table.c[key].type, sa.JSON) and value is not None
        else value
        for key, value in row.items()
    }


def _make_engine(url: str) -> None:
    durable.launch(url, "as it was")
    durable.shut_down()


def _in_a_process(target: Any, *arguments: object) -> None:
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0
