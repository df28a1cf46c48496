"""A running Hilum, and a running clinical network around it, for tests."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import tomlkit

from hilum.config import load, parse
from hilum.config.file import SettingsFile, SettingsText
from hilum.config.kinds import STANDARD_OBJECTS
from hilum.config.site import Site
from hilum.processes.process import descendants, fork_server
from hilum.records import Records, records_url, tables, views
from hilum.records.states import WorkitemState
from hilum.service.roles import Role
from hilum.service.supervisor import EVERY_ROLE, Supervisor
from hilum.transport import sender
from hilum_lab.network.processes import available_port, listens
from tests.archives import Orthanc
from tests.patience import until

WARM = f"{__package__}.warm"  # nothing for this process to load
# What a study meets. A console takes its time to start; most tests look at no page.
WITHOUT_CONSOLE = tuple(role for role in EVERY_ROLE if role is not Role.CONSOLE)
PATIENT = {"quiet_seconds": 5}  # a busy machine may pause in the middle of a series
# Two kinds of result objects are as good as all for most tests: a page takes 0.2 s to be set.
LEAN = {"objects": ["seg", "sr"]}
OF_DICOM = ("folder", "dimse", "dicomweb")
ALL_KINDS = {"objects": list(STANDARD_OBJECTS)}  # for those that look at them


class Running:
    """A Hilum with all its processes; `send` is the scanner, `settled` waits for the outcome."""

    def __init__(
        self, site: Site, roles: Collection[Role], said: SettingsText | None = None
    ) -> None:
        self.site = site
        self.supervisor = Supervisor(site, roles, said)
        self.listener = (site.receiver.ae_title, "127.0.0.1", site.receiver.port)

    def start(self) -> None:
        self.supervisor.start()
        self.until(lambda: listens(self.site.receiver.port), "the listener")
        if Role.CONSOLE in self.supervisor.roles:
            self.until(lambda: listens(self.site.console.port), "the console")

    def stop(self) -> None:
        self.supervisor.stop()
        if "records" in vars(self):  # else nobody has looked at them, and they may be damaged
            self.records.close()

    @cached_property
    def records(self) -> Records:
        return Records(records_url(self.site))

    @cached_property
    def file(self) -> SettingsFile:
        """That its settings stand in."""
        return SettingsFile(self.site.data.parent / "hilum.toml")

    def change(self, edit: Callable[[str], str]) -> None:
        """Change the settings file by hand."""
        self.file.path.write_text(edit(self.file.read().text))

    def followed(self) -> None:
        """Wait until every process works by what the settings file says."""
        site, supervisor = load(self.file.path), self.supervisor
        self.until(lambda: supervisor.site == site and not supervisor._leaving, "the new settings")

    def send(self, files: list[Path]) -> None:
        report = sender.send(files, self.listener)
        assert not report.failed, str(report)

    def settled(self, study_uid: str, workitems: int = 1) -> views.StudyView:
        """The study once it has `workitems` workitems and all of them are settled."""

        def are_done(states: list[WorkitemState]) -> bool:
            return len(states) >= workitems and all(state.settled for state in states)

        def view() -> views.StudyView | None:
            # one query while it is waited for: the view of a study takes seven
            outlines = self.records.workitems.outlines_of([study_uid])
            if not are_done([item.state for item in outlines]):
                return None
            view = views.study(self.records, study_uid)
            return view if are_done([item.state for item in view.workitems]) else None

        return self.until(view, f"study {study_uid[-8:]}")

    def until(self, condition: Callable[[], Any], what: str, pause: float = 0.1) -> Any:
        """What `condition` gives once that is true; what is dead meanwhile is started again.

        `pause` is that of `patience.until`: longer where asking costs more than a query.
        """

        def holds() -> Any:
            self.supervisor.check()
            return condition()

        return until(holds, lambda: f"{what}\n{self.story()}", pause)

    def story(self) -> str:
        """What happened so far: the end of the log, all events, the processes that run."""
        log = self.site.data / "logs" / "hilum.log"
        said = log.read_text()[-3000:] if log.exists() else "no log"
        rows = self.records.database.transact(lambda c: c.execute(tables.event.select()).all())
        seen = [f"{row.at:.2f} {row.kind}: {row.text}" for row in rows]
        return "\n".join([said, *seen, *map(str, descendants(os.getpid()).items())])


@contextmanager
def running(
    folder: Path,
    roles: Collection[Role] = WITHOUT_CONSOLE,
    in_file: bool = False,
    **settings: Any,
) -> Iterator[Running]:
    """Hilum with `settings` on free ports, its data below `folder`; its rules are patient.

    A destination for DICOM of which nothing else is said receives the `LEAN` objects.
    The settings stand `in_file`, `folder / "hilum.toml"`, and are followed when that changes.
    """
    base = {
        "data": str(folder / "hilum"),
        "receiver": {"port": available_port(), "low_water_mb": 0},
        "console": {"port": available_port()},
    }
    rules = [PATIENT | rule for rule in settings.pop("rule", [])]
    ends = [_lean(end) for end in settings.pop("destination", [])]
    fork_server(preload=WARM)
    values = {**base, **settings, "rule": rules, "destination": ends}
    said = None
    if in_file:
        path = folder / "hilum.toml"
        path.write_text(tomlkit.dumps(values))
        said = SettingsFile(path).read()
    hilum = Running(parse(values), roles, said)
    try:
        hilum.start()
        yield hilum
    finally:
        hilum.stop()


def _lean(destination: dict[str, Any]) -> dict[str, Any]:
    """As a test wants it; one of a third party's kind receives what that kind thinks right."""
    return destination if destination["kind"] not in OF_DICOM else LEAN | destination


@contextmanager
def clinical_network(folder: Path, kind: str = "dimse") -> Iterator[tuple[Orthanc, Running]]:
    """The seed's network: a PACS that routes everything to Hilum, which delivers back to it."""
    dicom, http, listener = available_port(), available_port(), available_port()
    destination = {"name": "pacs", "kind": kind, "viewer": "ohif", "assessments": True, **ALL_KINDS}
    destination |= (
        {"port": dicom} if kind == "dimse" else {"url": f"http://127.0.0.1:{http}/dicom-web"}
    )
    rule = {
        "module": "hippocampal-volume",
        "series": {"SeriesDescription": "^HippoCrop$"},
        "send_to": ["pacs"],
    }
    with (
        Orthanc(
            folder / "pacs",
            dicom_port=dicom,
            http_port=http,
            route_to=("HIPPOAI", "127.0.0.1", listener),
        ) as pacs,
        running(
            folder,
            receiver={
                "port": listener,
                "low_water_mb": 0,
                "assessments_from": ["VIEWER", "ORTHANC"],
            },
            destination=[destination],
            rule=[rule],
        ) as hilum,
    ):
        yield pacs, hilum
