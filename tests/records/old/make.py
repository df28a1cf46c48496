"""Makes the JSON files beside this one: what a Hilum of 6b943b8 left when it was killed at work.

It was run once, with the code and the tests of that commit:

    git archive 6b943b8 | tar x -C OLD
    PYTHONPATH=OLD/src:OLD/tests:tests/records/old python tests/records/old/make.py

The folder of the data becomes /srv/hilum, and the moment of the kill `work.STOPPED`.
"""

import base64
import json
import os
import signal
import socket
import sqlite3
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
from hilum.chaos.archive import Archive
from hilum.network import scanner
from hilum.network.processes import available_port, listens
from hilum.serve import Supervisor, records_url
from work import HERE, MODULE, STOPPED, STUDIES, came, settings

from factory import write
from hilum.config import parse
from hilum.records import Records, tables

PATIENCE = 60.0
ENGINE = ["workflow_status", "workflow_input"]
FINISHED = {"finished": "completed", "fresh": "completed"}


def main() -> None:
    """Have it work, kill it, keep what it left."""
    folder = Path(tempfile.mkdtemp())
    install(folder / "plugin")
    ports = {name: available_port() for name in ("day", "night", "strict")}
    day, strict = Archive(ports["day"]), Archive(ports["strict"])
    day.open()
    strict.open("OTHER")
    own = {"receiver": {"port": available_port()}, "console": {"port": available_port()}}
    site = parse({"data": folder / "data", **own, **settings(ports)})
    supervisor = Supervisor(site)
    supervisor.start()
    until(lambda: listens(site.receiver.port))
    work(folder, site)
    killed = time.time()
    for process in supervisor.processes.values():
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    keep(site.data, STOPPED - killed)
    os._exit(0)


def install(folder: Path) -> None:
    """Install the module."""
    metadata = folder / "plugin_counting-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "plugin_counting.py").write_text(textwrap.dedent(MODULE))
    about = "Metadata-Version: 2.1\nName: plugin_counting\nVersion: 1.0\n"
    (metadata / "METADATA").write_text(about)
    entry = "[hilum.modules]\ncounting = plugin_counting:Module\n"
    (metadata / "entry_points.txt").write_text(entry)
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])


def work(folder: Path, site: Any) -> None:
    """Send every study; return when each is as far as its name says."""
    records = Records(records_url(site))

    def states(study: str) -> list[str]:
        rows = records.find(tables.workitem, study_uid=came(study)[0].StudyInstanceUID)
        return [row["state"] for row in rows]

    for study in STUDIES:
        files = write(came(study), folder / study)
        scanner.send(files, (site.receiver.ae_title, "127.0.0.1", site.receiver.port))
        if study != "half":
            until(lambda study=study: states(study) == [FINISHED.get(study, study)])
    time.sleep(4.0)  # for what is to be settled
    assert not states("half")


def keep(data: Path, shift: float) -> None:
    """Write the files."""

    def told(value: Any) -> Any:
        if isinstance(value, float) and value > STOPPED / 2:
            return round(value + shift, 2)
        if isinstance(value, str):
            return value.replace(str(data), "/srv/hilum").replace(socket.gethostname(), "old")
        return value

    def rows_of(database: Path, wanted: list[str]) -> dict[str, list[dict[str, Any]]]:
        connection = sqlite3.connect(database)
        connection.row_factory = sqlite3.Row
        found = {}
        for table in wanted:
            rows = [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
            found[table] = [{key: told(row[key]) for key in row} for row in rows]
        return found

    found = {
        "records.json": rows_of(data / "hilum.db", sorted(tables.metadata.tables)),
        "engine.json": rows_of(data / "engine.db", ENGINE),
        "results.json": {
            str(path.relative_to(data)): pydicom.dcmread(path).to_json_dict()
            for path in sorted(data.glob("results/*/*.dcm"))
        },
        "findings.json": {
            str(path.relative_to(data)): base64.b64encode(path.read_bytes()).decode()
            for path in sorted(data.glob("results/*/*"))
            if path.suffix != ".dcm"
        },
    }
    for name, value in found.items():
        (HERE / name).write_text(json.dumps(value, indent=1) + "\n")


def until(condition: Callable[[], bool]) -> None:
    """Return when it is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("waited too long")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
