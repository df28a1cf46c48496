"""What each page of the console costs when many studies are on record: ms, and processor time.

    python bench/pages.py [--studies 100000] [--events 50] [--database postgresql+psycopg://...]

The studies are those of many_studies.py. Each page is asked for 20 times by one person.
"""

import time
from pathlib import Path
from statistics import median, quantiles

from many_studies import many_studies
from starlette.testclient import TestClient
from study_list import site_in

from hilum.console.app import application
from hilum.people.roles import UserRole
from hilum.records import Records, views
from hilum.records.search import StudyQuery

ROUNDS = 20
SEARCHES = {"name": {"patient_name": "an"}, "patient ID": {"patient_id": "P12*"}}


def main() -> None:
    with many_studies(__doc__) as (records, folder):
        show(records, folder)


def show(records: Records, folder: Path) -> None:
    """Ask for every page, and print a line for it."""
    made = application(site_in(folder), records, [])
    token = made.state.desk.everybody.tokens.add("bench", UserRole.ADMINISTRATOR, days=1)
    headers = {"Authorization": f"Bearer {token}"}
    found = views.find(records, StudyQuery(), 1, 50)
    address = found.studies[0].address
    paths = {
        "Now": "/",
        "Studies, first page": "/studies",
        "Studies, last page": f"/studies?page={found.pages}",
        "Studies, held": "/studies?state=held",
        "Studies, what needs somebody first": "/studies?sort=state",
        "a study": f"/studies/{address}",
        "Modules": "/modules",
        "Network": "/network",
        "Statistics, 90 days": "/statistics?days=90",
    }
    with TestClient(made, "http://127.0.0.1", headers=headers, follow_redirects=False) as client:
        for name, form in SEARCHES.items():
            paths[f"found by {name}"] = client.post("/finds", data=form).headers["location"]
        for name, path in paths.items():
            print_line(client, name, path)


def print_line(client: TestClient, name: str, path: str) -> None:
    walls, processors = [], []
    for _ in range(ROUNDS):
        began, began_processor = time.perf_counter(), time.process_time()
        answer = client.get(path)
        walls.append(1000 * (time.perf_counter() - began))
        processors.append(1000 * (time.process_time() - began_processor))
        assert answer.status_code == 200, (path, answer.text[:300])
    slow = quantiles(walls, n=20)[-1]
    times = f"{median(walls):8.1f} ms, 95 % below {slow:8.1f} ms"
    print(f"{name:40}{times}{median(processors):8.1f} ms of processor")


if __name__ == "__main__":
    main()
