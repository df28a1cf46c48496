"""Seconds from a film's arrival in Orthanc to its result there: ours, beside the original's way.

    python bench/turnaround.py [--films 20]

Ours: `[[source]]` polls, the film is stored durably, assembled, analysed in a warm process, the
objects are written, sent, and read back. The reference does what the original did, as well as it
can be done: it looks every 5 s, analyses with the same network in the same process, posts the
objects, keeps nothing and checks nothing. Both have an Orthanc of their own, get the same films at
the same moments, and run side by side; the ratio counts, not the seconds.
"""

import argparse
import multiprocessing
import random
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pydicom
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hilum.config import parse
from hilum.dicom.film import Film
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import as_file
from hilum.dicom.study import Study
from hilum.dicom.uids import derived_uid
from hilum.findings import Findings
from hilum.hosts.discovery import installed_modules
from hilum.logs import silence_libraries
from hilum.module import Module, facts_of
from hilum.objects import Analysis, write_objects
from hilum.records import Records, records_url
from hilum.records.states import WorkitemState
from hilum.service.supervisor import Supervisor
from hilum_lab.network import chest_exam
from hilum_lab.network.orthanc import Orthanc
from hilum_lab.network.processes import available_port, listens

MODULE = "chest-radiograph"
POLL_SECONDS = 5.0  # of the original
PATIENCE = 60.0
RESULTS = 3  # SR, picture, PDF


def original(url: str, folder: Path) -> None:
    """Poll every 5 s, analyse each new instance, post what is found; for ever."""
    silence_libraries()
    module = installed_modules()[MODULE]()
    last = 0
    while True:
        time.sleep(POLL_SECONDS)
        changes = httpx.get(f"{url}/changes?since={last}&limit=1000").json()
        last = changes["Last"]
        for change in changes["Changes"]:
            if change["ChangeType"] == "NewInstance":
                _analyse(url, module, folder / f"{change['ID']}.dcm")


def _analyse(url: str, module: Module, path: Path) -> None:
    path.write_bytes(httpx.get(f"{url}/instances/{path.stem}/file").content)
    film = Film(Instance.read(path))
    if film.instance.is_own_result:
        return
    study = Study.of([film.instance])
    analysis = Analysis(
        workitem_id=path.stem,
        created=datetime.now().astimezone(),
        module=facts_of(module),
        study=study,
        inputs={"series": study.series},
        findings=Findings(tuple(module.run((film,)))),
        pictures={} if film.picture is None else {film.uid: film.picture},
    )
    for _kind, dataset in write_objects(analysis):
        httpx.post(f"{url}/instances", content=as_file(dataset))


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--films", type=int, default=20)
    films = arguments.parse_args().films
    silence_libraries()
    with TemporaryDirectory() as name:
        folder = Path(name)
        chest_exam.make_chest_exam(folder / "exam", views=("PA",))
        template = next((folder / "exam").rglob("*.dcm"))
        with Orthanc(folder / "a") as ours, Orthanc(folder / "b") as theirs:
            supervisor = _serve(folder, ours)
            reference = multiprocessing.get_context("spawn").Process(
                target=original, args=(theirs.url, folder), daemon=True
            )
            reference.start()
            try:
                _round(template, ours, theirs, supervisor)  # warms up
                rounds = [
                    _round(template, ours, theirs, supervisor) for _ in track(range(films), "films")
                ]
            finally:
                reference.kill()
                supervisor.stop()
    _show([r[0] for r in rounds], [r[1] for r in rounds])


def _serve(folder: Path, orthanc: Orthanc) -> Supervisor:
    site = parse(
        {
            "data": folder / "hilum",
            "receiver": {"port": available_port(), "low_water_mb": 0},
            "console": {"port": available_port()},
            "source": [{"name": "orthanc", "kind": "orthanc", "url": orthanc.url}],
            "destination": [{"name": "orthanc", "kind": "dimse", "port": orthanc.dicom_port}],
            "rule": [{"module": MODULE, "send_to": ["orthanc"]}],
        }
    )
    supervisor = Supervisor(site)
    supervisor.start()
    _until(lambda: listens(site.console.port), supervisor)
    return supervisor


def _round(
    template: Path, ours: Orthanc, theirs: Orthanc, supervisor: Supervisor
) -> tuple[float, float]:
    """Seconds from the upload of one film to both: to ours verified, to theirs stored."""
    time.sleep(random.uniform(0, POLL_SECONDS))  # films come when they come
    film = pydicom.dcmread(template)
    film.StudyInstanceUID = derived_uid("turnaround", str(time.time()))
    film.SeriesInstanceUID = derived_uid(film.StudyInstanceUID, "series")
    film.SOPInstanceUID = derived_uid(film.StudyInstanceUID, "instance")
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    content = as_file(film)
    query = {"Level": "Instance", "Query": {"StudyInstanceUID": film.StudyInstanceUID}}
    records = Records(records_url(supervisor.site))
    started: dict[str, float] = {}
    ended: dict[str, float] = {}

    def look() -> bool:
        if theirs.url not in ended:
            held = httpx.post(f"{theirs.url}/tools/find", json=query).json()
            if len(held) == 1 + RESULTS:
                ended[theirs.url] = time.time()
        if ours.url not in ended:
            for item in records.workitems.of_study(film.StudyInstanceUID):
                kinds = {finding.kind for finding in item.findings or ()}
                if item.state is WorkitemState.COMPLETED and "classification" in kinds:
                    [delivery] = records.deliveries.of_workitem(item.id)
                    ended[ours.url] = delivery.verified_at or 0.0
        return len(ended) == 2

    for archive in (ours, theirs):
        httpx.post(f"{archive.url}/instances", content=content).raise_for_status()
        started[archive.url] = time.time()
    _until(look, supervisor)
    records.close()
    return ended[ours.url] - started[ours.url], ended[theirs.url] - started[theirs.url]


def _until(condition: Callable[[], bool], supervisor: Supervisor) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        supervisor.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing after {PATIENCE:.0f} s")
        time.sleep(0.02)


def _show(ours: list[float], theirs: list[float]) -> None:
    table = Table("", "median", "90 %", "longest", box=None)
    for name, values in (("Hilum", ours), ("every 5 s, nothing kept", theirs)):
        tenth = sorted(values)[int(0.9 * len(values))]
        figures = (statistics.median(values), tenth, max(values))
        table.add_row(name, *(f"{seconds:.2f} s" for seconds in figures))
    console = Console()
    console.print(table)
    ratio = statistics.median(ours) / statistics.median(theirs)
    console.print(f"median ratio {ratio:.2f} over {len(ours)} films")


if __name__ == "__main__":
    main()
