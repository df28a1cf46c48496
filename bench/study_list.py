"""What one page of the list of studies costs when many are on record: ms, processor time, queries.

    python bench/study_list.py [--studies 100000] [--database postgresql+psycopg://...]

Every study has a workitem that ran, with five verdicts, four results, a delivery and ten events,
and one that was not applicable. Two in a hundred wait for a person. Of five times the smallest
counts.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_jsonable_python

from hilum.alarms import alarms_now
from hilum.config import parse
from hilum.config.site import Rule, Site
from hilum.records import Records, tables, views
from hilum.records.models import Delivery, Study, Workitem, WrittenResult
from hilum.records.states import DeliveryState, EventKind, WorkitemKind, WorkitemState
from hilum.summary import MeasurementSummary
from hilum.verdict import Verdict

BATCH = 2000  # studies that are written at a time
EVENTS = 10
SERIES = 5
DICOM = "application/dicom"
KINDS = ("seg", "sr", "sc", "pdf")
ROUNDS = 5
RULE = Rule(module="hippocampal-volume", send_to=("pacs",))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--database", default="", help="SQLAlchemy URL of an empty database")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        records = Records(options.database or f"sqlite:///{name}/hilum.db")
        fill(records, options.studies)
        show(records, site_in(Path(name)))
        records.close()


def site_in(folder: Path) -> Site:
    """Two rules and a destination; nothing is started."""
    rules = [{"module": "hippocampal-volume", "send_to": ["pacs"]}, {"module": "chest-radiograph"}]
    pacs = {"name": "pacs", "kind": "dimse", "port": 4242}
    return parse({"data": str(folder), "rule": rules, "destination": [pacs]})


def show(records: Records, site: Site) -> None:
    """Measure each view, and print a line for it."""
    pages = views.studies(records).pages
    uid = views.studies(records).studies[0].study_uid
    for name, view in (
        ("studies, first page", lambda: views.studies(records)),
        ("studies, page in the middle", lambda: views.studies(records, max(1, pages // 2))),
        ("studies, last page", lambda: views.studies(records, pages)),
        ("studies, unfinished", lambda: views.studies(records, unfinished=True)),
        ("one study", lambda: views.study(records, uid)),
        ("trace of one study", lambda: views.trace(records, uid)),
        ("end of a UID", lambda: views.study_called(records, uid[-12:])),
        ("destinations", lambda: views.destinations(site, records)),
        ("alarms", lambda: alarms_now(site, records)),
    ):
        wall, processor, queries = measure(records, view)
        print(f"{name:30}{wall:8.1f} ms{processor:8.1f} ms of processor{queries:5} queries")


def measure(records: Records, view: Callable[[], object]) -> tuple[float, float, int]:
    """The smallest time and processor time in ms, and how many queries it takes."""
    statements: list[str] = []

    def note(*said: Any) -> None:
        statements.append(said[2])

    engine = records.database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    walls, processors = [], []
    for _ in range(ROUNDS):
        statements.clear()
        began, began_processor = time.perf_counter(), time.process_time()
        view()
        walls.append(1000 * (time.perf_counter() - began))
        processors.append(1000 * (time.process_time() - began_processor))
    sa.event.remove(engine, "before_cursor_execute", note)
    return min(walls), min(processors), len(statements)


def fill(records: Records, studies: int) -> None:
    """Put so many studies on record, the last one last."""
    for start in range(0, studies, BATCH):
        rows: dict[sa.Table, list[Any]] = {table: [] for table in tables.metadata.sorted_tables}
        for number in range(start, min(start + BATCH, studies)):
            add(rows, number, float(number))
        records.database.transact(lambda c, rows=rows: write(c, rows))  # type: ignore[misc]


def write(connection: sa.Connection, rows: dict[sa.Table, list[Any]]) -> None:
    for table, values in rows.items():
        if values:
            connection.execute(table.insert(), to_jsonable_python(values))


def add(rows: dict[sa.Table, list[Any]], number: int, at: float) -> None:
    """All that is on record of one study."""
    uid = f"1.2.826.0.1.3680043.8.498.{number:020d}"
    rows[tables.study].append(Study(uid, uid[-40:], 200, 200, at - 60, at))
    waits = number % 50 == 0
    state = WorkitemState.HELD if waits else WorkitemState.COMPLETED
    reasons = ("SeriesDescription matches", "MR as the module needs", "160 evenly spaced slices")
    verdicts = tuple(
        Verdict("series", f"{uid}.{n}", f"T1 number {n}", 160, n == 0, reasons)
        for n in range(SERIES)
    )
    run = Workitem(
        id=f"{uid}.1",
        kind=WorkitemKind.RUN,
        study_uid=uid,
        module="hippocampal-volume",
        version="1.0",
        title="Hippocampal volume",
        weights_sha256="ab" * 32,
        rule=RULE,
        rule_key="hippocampus",
        state=state,
        reason="verified in pacs",
        created=at,
        inputs={"series": tuple(f"{n:064x}.dcm" for n in range(160))},
        siblings=(f"{0:064x}.dcm",),
        verdicts=verdicts,
        findings=(MeasurementSummary("Volume", 3.1, "ml", "Hippocampus", 0.1),) * 3,
    )
    chest = {"id": f"{uid}.2", "module": "chest-radiograph", "rule_key": "chest", "inputs": {}}
    not_run = {"kind": WorkitemKind.NOT_RUN, "state": WorkitemState.NOT_APPLICABLE}
    rows[tables.workitem] += [vars(run), {**vars(run), **chest, **not_run, "findings": None}]
    rows[tables.result] += [
        WrittenResult(
            f"{run.id}.{kind}", "all", run.id, kind, DICOM, "1.2.840", Path(f"{kind}.dcm")
        )
        for kind in KINDS
    ]
    verified = Delivery(run.id, "pacs", "all", False, DeliveryState.VERIFIED, at, verified_at=at)
    rows[tables.delivery].append(verified)
    rows[tables.event] += [
        {"at": at, "study_uid": uid, "workitem_id": "", "kind": EventKind.SERIES, "text": "a line"}
    ] * EVENTS


if __name__ == "__main__":
    main()
