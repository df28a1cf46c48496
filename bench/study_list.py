"""What one page of the lists of studies costs when many are on record: ms, processor time, queries.

    python bench/study_list.py [--studies 100000] [--events 50] [--keep FOLDER]

The studies are those of many_studies.py; `--database URL` has them on PostgreSQL. Of five times the
smallest counts.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from many_studies import many_studies, options_of

from hilum.alarms import alarms_now
from hilum.config import parse
from hilum.config.site import Site
from hilum.records import Records, views
from hilum.records.search import StudyQuery
from hilum.records.states import StudyOrder, StudyState

ROUNDS = 5
SEARCHES = {
    "all": StudyQuery(),
    "two letters of a name": StudyQuery(patient_name="an"),
    "a whole name": StudyQuery(patient_name="Müldeta Grosone"),
    "a word, as in the search box": StudyQuery(words=("mul",)),
    "beginning of a patient ID": StudyQuery(patient_id="P12*"),
    "a month": StudyQuery(first_date=date(2020, 2, 1), last_date=date(2020, 2, 29)),
    "a modality": StudyQuery(modalities=("MR",)),
    "a module": StudyQuery(modules=("hippocampal-volume",)),
    "completed": StudyQuery(states=(StudyState.COMPLETED,)),
    "held": StudyQuery(states=(StudyState.HELD,)),
    "part of a reason": StudyQuery(reason="missing inside"),
    "nothing": StudyQuery(words=("nobody",)),
}


def main() -> None:
    with many_studies(options_of(__doc__)) as (records, folder):
        show(records, site_in(folder))
        search(records)


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
        print_line(records, name, view)


def search(records: Records) -> None:
    """Measure the first, a middle and the last page of each search, in each order."""
    for name, query in SEARCHES.items():
        for order in StudyOrder:
            ordered = replace(query, order=order)
            pages = views.find(records, ordered).pages
            for page in sorted({1, max(1, pages // 2), pages}):
                about = f"find {name}, {order}, page {page}"
                print_line(records, about, lambda q=ordered, p=page: views.find(records, q, p))


def print_line(records: Records, name: str, view: Callable[[], object]) -> None:
    wall, processor, queries = measure(records, view)
    print(f"{name:55}{wall:8.1f} ms{processor:8.1f} ms of processor{queries:5} queries")


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


if __name__ == "__main__":
    main()
