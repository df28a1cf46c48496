"""How long records of 6b943b8 with many studies take to be brought up to date, on SQLite.

python bench/upgrading.py [STUDIES]
"""

import argparse
import json
import sys
import tempfile
import time
from functools import cache, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tests.records.databases import make_old  # noqa: E402

from hilum.records import Records, migrations  # noqa: E402

KINDS = ("seg", "sr", "sc", "pdf")
LINES = 20  # in the trace of a study
AT_ONCE = 5000
SAMPLE = ROOT / "tests" / "records" / "old" / "records.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("studies", type=int, nargs="?", default=100_000)
    studies = parser.parse_args().studies
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hilum.db"
        url = f"sqlite:///{file}"
        make_old(url)
        fill(url, studies)
        print(f"{studies} studies, {file.stat().st_size / 1e6:.0f} MB")
        began, busy = time.perf_counter(), time.process_time()
        Records(url, prepare=partial(migrations.upgrade, dead_seconds=0.0)).close()
        took, used = time.perf_counter() - began, time.process_time() - busy
        print(f"up to date in {took:.1f} s, {used:.1f} CPU-s")


def fill(url: str, studies: int) -> None:
    """One delivered workitem for each study, with four results and a trace."""
    engine, known = sa.create_engine(url), sa.MetaData()
    with engine.begin() as connection:
        known.reflect(connection)
        for start in range(0, studies, AT_ONCE):
            rows: dict[str, list[dict[str, Any]]] = {}
            for number in range(start, min(start + AT_ONCE, studies)):
                for table, of_study in rows_of(number).items():
                    rows.setdefault(table, []).extend(of_study)
            for table, several in rows.items():
                connection.execute(known.tables[table].insert(), several)
    engine.dispose()


@cache
def sample() -> dict[str, dict[str, Any]]:
    """A row of each table that has any."""
    return {name: rows[0] for name, rows in json.loads(SAMPLE.read_text()).items() if rows}


def rows_of(number: int) -> dict[str, list[dict[str, Any]]]:
    """The rows of one study, by table."""
    of_sample = sample()
    study, item = f"1.2.{number}", f"2.25.{number:039}"
    workitem = {**of_sample["workitem"], "id": item, "study_uid": study}
    for name in ("rule", "inputs", "siblings", "verdicts", "findings"):
        workitem[name] = json.loads(workitem[name])
    path = f"/srv/hilum/results/{item}/"
    return {
        "study": [{**of_sample["study"], "study_uid": study, "folder": str(number)}],
        "workitem": [workitem],
        "delivery": [{**of_sample["delivery"], "workitem_id": item, "images": False}],
        "result": [
            {
                **of_sample["result"],
                "workitem_id": item,
                "kind": kind,
                "sop_instance_uid": f"{study}.{n}",
                "path": f"{path}{kind}-c93dcb77a3392d5e54c31cbf0f88e86c.dcm",
            }
            for n, kind in enumerate(KINDS)
        ],
        "event": [
            {k: v for k, v in of_sample["event"].items() if k != "id"} | {"study_uid": study}
            for _ in range(LINES)
        ],
    }


if __name__ == "__main__":
    main()
