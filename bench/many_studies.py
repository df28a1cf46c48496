"""Many studies on record, as a hospital has them after years: for the benches that read them.

    python bench/many_studies.py --keep FOLDER [--studies 100000] [--events 50]

Every study has a workitem that ran, with five verdicts, four results, a delivery and as many events
as are asked for, and one that was not applicable. Two in a hundred wait for a person. Names,
numbers and dates are made up, and the same in each run.
"""

import argparse
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_jsonable_python

from hilum.config.site import Rule
from hilum.records import Records, listing, tables
from hilum.records.listed import StudyIdentifiers
from hilum.records.models.deliveries import Delivery, WrittenResult
from hilum.records.models.studies import Study, StudyAddress
from hilum.records.models.workitems import Workitem
from hilum.records.states import DeliveryState, EventKind, WorkitemKind, WorkitemState
from hilum.summary.numbers import MeasurementSummary
from hilum.verdict import Verdict

STUDIES = 100_000
EVENTS = 50  # of each study: five million of all
BATCH = 2000  # studies that are written at a time
SERIES = 5
DICOM = "application/dicom"
KINDS = ("seg", "sr", "sc", "pdf")
RULE = Rule(module="hippocampal-volume", send_to=("pacs",))
SYLLABLES = ("ba", "de", "fi", "gro", "hü", "jan", "ke", "lo", "mül", "ne", "so", "ta", "wei", "zo")
DESCRIPTIONS = ("Brain MR", "MR Schädel nativ", "Head routine", "Thorax p.a.", "Neuro dementia")
FIRST_DAY = date(2016, 1, 1)
DAYS = 3650
YEARS, DAY = 4, 86400.0  # over which the studies came, and its seconds
# made by the database: millions of them one by one would take long
RUN_EVENT = """
    INSERT INTO event (at, study_uid, workitem_id, kind, text)
    SELECT last_at - :before, study_uid, study_uid || '.1', :kind, 'hippocampal-volume 1.0'
    FROM study WHERE study_uid BETWEEN :first AND :last ORDER BY study_uid
"""
FURTHER_EVENTS = """
    INSERT INTO event (at, study_uid, workitem_id, kind, text)
    WITH RECURSIVE counted (number) AS
        (SELECT 1 UNION ALL SELECT number + 1 FROM counted WHERE number < :number)
    SELECT last_at, study_uid, '', :kind, 'rejected T1 number ' || number || ': it is too thick'
    FROM study CROSS JOIN counted
    WHERE study_uid BETWEEN :first AND :last AND number <= :number ORDER BY study_uid, number
"""
REASONS = (
    "forms no volume: 3 slices are missing inside",
    "112 of 120 images the series is to have, after 60 s of silence",
    "the images name different patients (PatientID)",
)


def main() -> None:
    with many_studies(options_of(__doc__)) as (records, _):
        print(f"{records.studies.count()} studies are on record")


def options_of(about: str) -> argparse.Namespace:
    """What a bench is asked for on its command line."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--studies", type=int, default=STUDIES)
    parser.add_argument("--events", type=int, default=EVENTS, help="of each study")
    parser.add_argument("--database", default="", help="SQLAlchemy URL; filled if it is empty")
    parser.add_argument("--keep", type=Path, help="data folder to fill if it is empty, and to keep")
    parser.add_argument("--plans", action="store_true", help="tell which tables are read whole")
    return parser.parse_args()


@contextmanager
def many_studies(options: argparse.Namespace) -> Iterator[tuple[Records, Path]]:
    """Those records, filled if they are empty, and their data folder."""
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(TemporaryDirectory()))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        records = Records(options.database or f"sqlite:///{folder}/hilum.db")
        stack.callback(records.close)
        if not records.studies.count():
            began = time.perf_counter()
            fill(records, options.studies, options.events)
            print(f"filled in {time.perf_counter() - began:.0f} s")
        yield records, folder


def fill(records: Records, studies: int, events: int) -> None:
    """Put so many studies on record, spread over some years until now, the last one last."""
    choose = random.Random(14)
    pause, begin = YEARS * 365 * DAY / studies, time.time() - YEARS * 365 * DAY
    for start in range(0, studies, BATCH):
        rows: dict[sa.Table, list[Any]] = {table: [] for table in tables.metadata.sorted_tables}
        for number in range(start, min(start + BATCH, studies)):
            add(rows, number, begin + (number + 1) * pause, choose)
        records.database.transact(partial(write, rows=rows, events=events))
    if records.database.engine.dialect.name == "postgresql":  # as it does by itself
        records.database.transact(lambda c: c.exec_driver_sql("ANALYZE"))


def identifiers(choose: random.Random) -> StudyIdentifiers:
    """What the images of one study might say."""
    name = ["".join(choose.choices(SYLLABLES, k=3)).capitalize() for _ in range(2)]
    return StudyIdentifiers(
        patient_id=f"P{choose.randrange(10**8):08}",
        issuer="HOSPITAL",
        patient_name="^".join(name),
        accession_number=f"A{choose.randrange(10**9):09}",
        study_date=f"{FIRST_DAY + timedelta(days=choose.randrange(DAYS)):%Y%m%d}",
        description=choose.choice(DESCRIPTIONS),
        modalities=("MR",) if choose.random() < 0.7 else ("CR", "SR"),
    )


def write(connection: sa.Connection, rows: dict[sa.Table, list[Any]], events: int) -> None:
    for table, values in rows.items():
        if values:
            connection.execute(table.insert(), to_jsonable_python(values))
    uids = [study.study_uid for study in rows[tables.study]]
    among = {"first": min(uids), "last": max(uids)}
    for kind, before in ((EventKind.RUNNING, 40), (EventKind.ANALYSED, 35)):
        connection.execute(sa.text(RUN_EVENT), {"kind": kind.value, "before": before, **among})
    further = {"kind": EventKind.SERIES.value, "number": events - 2}
    connection.execute(sa.text(FURTHER_EVENTS), {**further, **among})


def add(rows: dict[sa.Table, list[Any]], number: int, at: float, choose: random.Random) -> None:
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
        reason=choose.choice(REASONS) if waits else "verified in pacs",
        created=at - 45,
        inputs={"series": tuple(f"{n:064x}.dcm" for n in range(160))},
        siblings=(f"{0:064x}.dcm",),
        verdicts=verdicts,
        findings=(MeasurementSummary("Volume", 3.1, "ml", "Hippocampus", 0.1),) * 3,
    )
    chest = {"id": f"{uid}.2", "module": "chest-radiograph", "rule_key": "chest", "inputs": {}}
    not_run = {"kind": WorkitemKind.NOT_RUN, "state": WorkitemState.NOT_APPLICABLE}
    not_applicable = replace(run, **chest, **not_run, findings=None)
    rows[tables.workitem] += [run, not_applicable]
    rows[tables.result] += [
        WrittenResult(
            f"{run.id}.{kind}", "all", run.id, kind, DICOM, "1.2.840", Path(f"{kind}.dcm")
        )
        for kind in KINDS
    ]
    verified = Delivery(
        run.id, "pacs", "all", False, DeliveryState.VERIFIED, at, verified_at=at + 20
    )
    rows[tables.delivery].append(verified)
    facts = listing.StudyFacts(True, False, False, [run, not_applicable], [verified])
    line = {"study_uid": uid, "last_at": at, "removed": False}
    line |= listing.columns_of_standing(listing.standing_of(facts))
    line |= listing.columns_of_identifiers(identifiers(choose))
    rows[tables.address].append(StudyAddress(uid, listing.new_address()))
    rows[tables.listing].append(line)


if __name__ == "__main__":
    main()
