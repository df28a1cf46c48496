"""What each page of the console costs when many studies are on record: ms, and processor time.

    python bench/pages.py [--studies 100000] [--events 50] [--keep FOLDER] [--plans]

The studies are those of many_studies.py; `--keep` fills a folder once and uses it again, and
`--database URL` has them on PostgreSQL. Each page is asked for 20 times by one person, after a
first time that does not count. `--plans` tells besides which tables SQLite reads whole for it.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from statistics import median, quantiles
from typing import Any

import sqlalchemy as sa
from many_studies import many_studies, options_of
from starlette.testclient import TestClient
from study_list import site_in

from hilum.audit import AuditedAct, AuditNote, AuditOutcome, AuditStore, ObjectType, Origin
from hilum.audit.store import AuditFilter
from hilum.config.file import SettingsFile
from hilum.config.site import Site
from hilum.console.app import application
from hilum.console.known import KnownModules
from hilum.hosts.discovery import installed_modules
from hilum.module import facts_of, inputs_of
from hilum.people.roles import UserRole
from hilum.processes.process import lasting
from hilum.records import Records, views
from hilum.records.search import StudyQuery

ROUNDS = 20
SETTINGS = """data = "{data}"
[[destination]]
name = "pacs"
kind = "dimse"
[[rule]]
module = "hippocampal-volume"
send_to = ["pacs"]
"""
ENTRIES = 100_000  # of the audit trail
PORTION = 5000  # of them, in one transaction
SEARCHES = {
    "found by name": {"patient_name": "an"},
    "found by patient ID": {"patient_id": "P12*"},
    "found by a word": {"words": "mul"},
}
MANY = "workitem|result|delivery|receipt|assessment|event|study|address|listing"  # rows of each
WHOLE = re.compile(rf"SCAN ({MANY})\b(?! USING)")  # not even an index stands in for the table
NO_PAGES = re.compile(
    r"\{|^/(api|static|health|metrics|live|enter|login|openid)|/live$|\.\w+$|download"
)


def main() -> None:
    options = options_of(__doc__)
    with many_studies(options) as (records, folder):
        site = site_in(folder)
        fill_audit(site)
        show(records, site, options.plans)


def fill_audit(site: Site) -> None:
    """People looked at some studies, and somebody sees who did."""
    with closing(AuditStore(site.data / "audit.db")) as store:
        there = store.count(AuditFilter())
        for start in range(there, ENTRIES, PORTION):
            store.add(*(note(number) for number in range(start, start + PORTION)))


def note(number: int) -> AuditNote:
    uid = f"1.2.826.0.1.3680043.8.498.{number % 1000:020d}"
    return AuditNote(
        at=time.time() - ENTRIES + number,
        person=f"person{number % 50}",
        role="reader",
        account=f"local:person{number % 50}",
        address="10.0.0.1",
        origin=Origin.CONSOLE,
        act=AuditedAct.OPENED,
        object_type=ObjectType.STUDY,
        object=uid,
        study_uid=uid,
        patient_id=f"P{number % 1000:08}",
        reason="",
        outcome=AuditOutcome.DONE,
    )


def show(records: Records, site: Site, with_plans: bool) -> None:
    """Ask for every page, and print a line for it."""
    modules = installed_modules().values()
    needs = {module.name: inputs_of(module) for module in modules}
    known = KnownModules(tuple(map(facts_of, modules)), needs=needs)
    file = SettingsFile(site.data / "hilum.toml")
    file.path.write_text(SETTINGS.format(data=site.data))
    with lasting():  # as the console does
        made = application(site, records, known, file)
    tokens = made.state.desk.everybody.tokens
    token = tokens.add(f"bench-{time.time_ns()}", UserRole.ADMINISTRATOR, days=1)
    headers = {"Authorization": f"Bearer {token}"}
    with TestClient(made, "http://127.0.0.1", headers=headers, follow_redirects=False) as client:
        for name, (method, path, form) in asked_for(made, client, records).items():
            with statements_of(records) as statements:
                print_line(name, lambda m=method, p=path, f=form: client.request(m, p, data=f))
            if with_plans:
                for plan in sorted(whole_tables(records, statements)):
                    print(f"    reads {plan}")


Asked = dict[str, tuple[str, str, dict[str, str]]]


def asked_for(made: Any, client: TestClient, records: Records) -> Asked:
    """Every page that has an address of its own, and some that need more, by what they show."""
    found = views.find(records, StudyQuery(), 1, 50)
    paths = {
        route.path
        for route in made.routes
        if "GET" in getattr(route, "methods", ()) and not NO_PAGES.search(route.path)
    }
    paths |= {
        f"/studies?page={found.pages}",
        f"/studies?page={found.pages // 2}",
        "/studies?state=held",
        "/studies?sort=state",
        "/studies?module=hippocampal-volume",
        "/studies?passed_over=chest-radiograph",
        "/studies?assessment=not+assessed",
        f"/studies/{found.studies[0].address}",
        "/modules/hippocampal-volume",
        "/network/destinations/pacs",
        "/statistics?days=90",
        "/audit?person=person7",
        "/metrics",
        "/health",
    }
    asked: Asked = {path: ("GET", path, {}) for path in sorted(paths)}
    for name, form in SEARCHES.items():
        asked[name] = ("GET", client.post("/finds", data=form).headers["location"], {})
    number = found.studies[0].accession_number
    asked["why, by accession number"] = ("POST", "/why", {"wanted": number})
    asked["audit, of a patient"] = ("POST", "/audit", {"patient_id": "P00000007"})
    asked["audit, of an order"] = ("POST", "/audit", {"study": number})
    return asked


def print_line(name: str, ask: Callable[[], Any]) -> None:
    walls, processors = [], []
    ask()  # what is read once in the life of a console, such as templates, is not of the page
    for _ in range(ROUNDS):
        began, began_processor = time.perf_counter(), time.process_time()
        answer = ask()
        walls.append(1000 * (time.perf_counter() - began))
        processors.append(1000 * (time.process_time() - began_processor))
        if answer.status_code != 200:
            print(f"{name:40} answers {answer.status_code}")
            return
    slow = quantiles(walls, n=20)[-1]
    times = f"{median(walls):8.1f} ms, 95 % below {slow:8.1f} ms"
    print(f"{name:40}{times}{median(processors):8.1f} ms of processor", flush=True)


@contextmanager
def statements_of(records: Records) -> Iterator[dict[str, Any]]:
    """What the records are asked for meanwhile: each statement with its last values."""
    asked: dict[str, Any] = {}

    def noted(*said: Any) -> None:
        asked[said[2]] = said[3]

    sa.event.listen(records.database.engine, "before_cursor_execute", noted)
    yield asked
    sa.event.remove(records.database.engine, "before_cursor_execute", noted)


def whole_tables(records: Records, statements: dict[str, Any]) -> set[str]:
    """The tables with many rows that are read whole, with the beginning of the statement."""
    found = set()
    with records.database.engine.connect() as connection:
        for statement, values in statements.items():
            if statement.lstrip().upper().startswith(("SELECT", "WITH")):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                for table in WHOLE.findall("\n".join(row.detail for row in plan)):
                    found.add(f"{table}: {' '.join(statement.split())[:300]}")
    return found


if __name__ == "__main__":
    main()
