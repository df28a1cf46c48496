"""`hilum demo`: scanner, PACS, Hilum and viewer on one machine, and two exams through them all.

The brain exam is sent by a scanner and routed on by the PACS. The chest film is handed to the PACS
as through its web page, which is not routed: Hilum, which watches the PACS, finds it there.
"""

import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import tomlkit
from rich.console import Console
from rich.markup import escape

from hilum.config import site_in
from hilum.config.file import SettingsFile
from hilum.config.site import Site
from hilum.errors import HilumError
from hilum.logs import silence_libraries
from hilum.people.entrance import entrance, system_user
from hilum.processes.process import is_alive, own_start_time
from hilum.records import Records, records_url, views
from hilum.records.views import StudyView, TraceLine, as_json
from hilum.service.supervisor import Supervisor
from hilum.terminal import outcome_lines, progress_bar
from hilum.transport import sender
from hilum.wording import counted
from hilum_lab.demo.exams import Exam, exams_in
from hilum_lab.demo.settings import demo_settings
from hilum_lab.network import chest_exam, parts
from hilum_lab.network import exam as brain
from hilum_lab.network.orthanc import ANSWER_SECONDS, Orthanc
from hilum_lab.network.processes import addresses_of, available_port, in_words, listens
from hilum_lab.network.viewer import Viewer

PORTS = {"pacs_dicom": 4242, "pacs_http": 8042, "viewer": 3000, "receiver": 11112, "console": 8040}
NAMES = {
    "pacs_dicom": "PACS (DICOM)",
    "pacs_http": "PACS (HTTP)",
    "viewer": "viewer",
    "receiver": "Hilum's listener",
    "console": "Hilum's console",
}
CROP = "HippoCrop"  # what the seed calls the series to be measured
FAILED = 1  # exit status
READY_SECONDS = 60
LINK_SECONDS = 3600.0  # somebody may look at the rest first
RESULT_SECONDS = 300
SILENCE_SECONDS = 1.5  # after the last image: until then there may be a run on more images to come


@dataclass(frozen=True)
class DemoReport:
    """What became of one exam, and the addresses at which it is seen."""

    study: StudyView
    addresses: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """As docs/reference/commands.md has it."""
        further = {"verified": is_verified(self.study), "addresses": self.addresses}
        return {**as_json(self.study), **further}


@dataclass(frozen=True)
class DemoNetwork:
    """The running parts."""

    site: Site
    supervisor: Supervisor
    pacs: Orthanc
    viewer: Viewer

    def addresses(self, study_uid: str) -> dict[str, str]:
        """Where one study is seen."""
        return {
            "viewer": self.viewer.study_url(study_uid),
            "pacs": self.pacs.url,
            "hilum": self._page_of(study_uid),
        }

    def _page_of(self, study_uid: str) -> str:
        """Its page of the console, whose address never is the UID."""
        with closing(Records(records_url(self.site))) as records:
            address = records.identifiers.addresses([study_uid])[study_uid]
        return f"{self.site.console.address}/studies/{address}"

    def listeners(self) -> Iterator[str]:
        """Who listens where, and who is answered there."""
        anybody = "whoever reaches this machine can send to it, search it and fetch from it"
        pacs, receiver = self.pacs, self.site.receiver
        for name, port, answered in (
            (f"PACS, DICOM, {pacs.ae_title}", pacs.dicom_port, anybody),
            ("PACS, HTTP", pacs.http_port, "it answers this machine only"),
            (f"Hilum, DICOM, {receiver.ae_title}", receiver.port, ""),
            ("Hilum, console", self.site.console.port, ""),
            ("viewer", self.viewer.port, ""),
        ):
            where = in_words(addresses_of(port))
            yield f"{name:<22} port {port} on {where}" + (f": {answered}" if answered else "")


class Demo:
    """One demonstration. `run` returns the exit status: 0 only if every result was read back."""

    def __init__(self, exam: Path | None, once: bool, as_json: bool) -> None:
        self.exam = exam
        self.once = once
        self.as_json = as_json
        self.say = Console(stderr=as_json, highlight=False)
        self.seconds: dict[str, float] = {}
        self.folder = session_folder(Path(".demo"))
        self._config = self.folder / "hilum.toml"

    def run(self) -> int:
        """Start everything, send the exam, follow it, and stop everything again."""
        silence_libraries()
        status = FAILED
        try:
            with ExitStack() as stack:
                status = self._run(stack)
        except KeyboardInterrupt:
            self.say.print("\nstopping")
            status = 130
        finally:
            self._leave(status)
        return status

    def _leave(self, status: int) -> None:
        """Remove what it made, unless it failed: then somebody wants to see why."""
        if status == FAILED:
            (self.folder / "owner").unlink(missing_ok=True)
            self.say.print(escape(f"logs and results lie in {self.folder}"), soft_wrap=True)
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # another demonstration goes on there
            self.folder.parent.rmdir()

    def _run(self, stack: ExitStack) -> int:
        began = clock = time.monotonic()
        exams = self._exams()
        ohif = parts.ohif()
        ports = self._free_ports()
        self._lap("prepare", clock)

        clock = time.monotonic()
        network = self._start(stack, exams, ports, ohif)
        self._lap("start", clock)
        self.say.print(f"clinical network is up after {self.seconds['start']:.1f} s")

        for line in network.listeners():
            self.say.print(f"[dim]{line}[/]", soft_wrap=True)
        self._show_entrance(network.site)
        reports = [self._through(exam, network) for exam in exams]
        self._lap("total", began)
        for exam, report in zip(exams, reports, strict=True):
            self._show(exam, report)
        phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
        self.say.print("[bold]Research use only, not for diagnosis.[/]")
        self.say.print(f"[dim]{phases}[/]", soft_wrap=True)
        good = all(is_verified(report.study) for report in reports)
        if self.as_json:
            first, *further = (report.as_json() for report in reports)
            shown = {**first, "verified": good, "further": further, "seconds": self.seconds}
            sys.stdout.write(json.dumps(shown) + "\n")
            sys.stdout.flush()
        if self.once:
            self.say.print("stopping; without --once the network stays, and the addresses open")
        else:
            self.say.print("running until Ctrl-C")
            while True:
                network.supervisor.check()
                time.sleep(0.25)
        return 0 if good else FAILED

    def _show_entrance(self, site: Site) -> None:
        link = entrance(site, LINK_SECONDS, system_user())
        again = f"`hilum console -c {shlex.quote(str(self._config))}` prints another one"
        said = f"the console opens with this link, once; {again}:"
        self.say.print(escape(said), soft_wrap=True)
        self.say.print(escape(link), soft_wrap=True)

    def _start(
        self, stack: ExitStack, exams: list[Exam], ports: dict[str, int], ohif: Path
    ) -> DemoNetwork:
        has_crop = self.exam is None or all(exam.has_series(CROP) for exam in exams)
        settings = demo_settings(self.folder, ports, series=f"^{CROP}$" if has_crop else "")
        self._config.write_text(tomlkit.dumps(settings))  # for every other command
        said = SettingsFile(self._config.absolute()).read()
        site = site_in(said.text)
        supervisor = Supervisor(site, said=said)
        stack.callback(supervisor.stop)  # first: Ctrl-C may come at any moment
        supervisor.start()
        receiver = (site.receiver.ae_title, "127.0.0.1", ports["receiver"])
        pacs = stack.enter_context(
            Orthanc(
                self.folder / "pacs",
                dicom_port=ports["pacs_dicom"],
                http_port=ports["pacs_http"],
                route_to=receiver,
            )
        )
        viewer = stack.enter_context(
            Viewer(self.folder / "viewer", pacs.url, port=ports["viewer"], dist=ohif)
        )
        self._wait_for_hilum(supervisor, receiver[2], ports["console"])
        return DemoNetwork(site, supervisor, pacs, viewer)

    def _through(self, exam: Exam, network: DemoNetwork) -> DemoReport:
        """Hand one exam to the PACS, follow it to its verified results, report it."""
        self.say.print(f"\n[bold]{exam.title}[/]")
        clock = time.monotonic()
        if exam.by_scanner:
            self._send(exam.files, ("ORTHANC", "127.0.0.1", network.pacs.dicom_port))
        else:
            self._upload(exam.files, network.pacs)
        self._lap(f"{exam.title}: {'send' if exam.by_scanner else 'upload'}", clock)
        clock = time.monotonic()
        view = self._follow(network, exam)
        self._lap(f"{exam.title}: to verified result", clock)
        return DemoReport(view, network.addresses(exam.study_uid))

    def _exams(self) -> list[Exam]:
        if self.exam is not None:
            return list(exams_in(self.exam))
        head = sender.dicom_files(parts.sample("sample-exam", brain.make_exam))
        film = sender.dicom_files(parts.sample("sample-film", chest_exam.make_chest_exam))
        return [Exam("brain MR", head), Exam("chest film", film, by_scanner=False)]

    def _free_ports(self) -> dict[str, int]:
        ports = {}
        for part, preferred in PORTS.items():
            ports[part] = available_port(preferred)
            if ports[part] != preferred:
                self.say.print(f"port {preferred} ({NAMES[part]}) is taken, using {ports[part]}")
        return ports

    def _wait_for_hilum(self, supervisor: Supervisor, *ports: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not all(map(listens, ports)):
            supervisor.check()
            if time.monotonic() > deadline:
                raise HilumError(f"Hilum did not start; see {self.folder}/hilum/logs")
            time.sleep(0.05)

    def _send(self, files: list[Path], pacs: tuple[str, str, int]) -> None:
        with progress_bar("scanner -> PACS", self.say) as progress:
            task = progress.add_task("", total=len(files))
            report = sender.send(
                files,
                pacs,
                "SCANNER",
                progress=lambda _sent: progress.advance(task),
            )
        if report.failed:
            raise HilumError(f"the PACS did not take every image: {report}")

    def _upload(self, files: list[Path], pacs: Orthanc) -> None:
        """What the upload page of the PACS does."""
        for file in files:
            content, url = file.read_bytes(), f"{pacs.url}/instances"
            answer = httpx.post(url, content=content, timeout=ANSWER_SECONDS)
            if not answer.is_success:
                raise HilumError(f"the PACS did not take the film: HTTP {answer.status_code}")
        self.say.print(f"{counted(len(files), 'image')} handed to the web page of the PACS")

    def _follow(self, network: DemoNetwork, exam: Exam) -> StudyView:
        """Show every event of the study as it happens, until all is received and settled."""
        records = Records(records_url(network.site))
        shown, images, study_uid = 0, len(exam.files), exam.study_uid
        deadline = time.monotonic() + RESULT_SECONDS
        with progress_bar("PACS -> Hilum", self.say) as progress:
            task = progress.add_task("", total=images)
            while time.monotonic() < deadline:
                network.supervisor.check()
                view = views.study(records, study_uid) if shown else None
                lines = views.events(records, study_uid)  # later: what settled the view is there
                for line in lines[shown:]:
                    progress.console.print(event_line(line, lines[0].at), soft_wrap=True)
                shown = len(lines)
                if view:
                    progress.update(task, completed=view.images)
                    if view.images >= images and is_done(view, len(network.site.rule)):
                        return view
                time.sleep(0.05)
        raise HilumError(f"no result after {RESULT_SECONDS} s; see {self.folder}/hilum/logs")

    def _show(self, exam: Exam, report: DemoReport) -> None:
        self.say.print(f"\n[bold]{exam.title}[/]")
        for line in outcome_lines(report.study):
            self.say.print(f"  {escape(line)}", soft_wrap=True)
        for name, address in report.addresses.items():
            self.say.print(f"{name:<7} {address}", soft_wrap=True)

    def _lap(self, phase: str, since: float) -> None:
        self.seconds[phase] = round(time.monotonic() - since, 2)


def event_line(line: TraceLine, start: float) -> str:
    """One event of a trace as a line of the terminal, times counted from `start`."""
    style = "dim" if line.text.startswith("rejected") else "default"
    text = escape(line.text)
    return f"  [dim]+{line.at - start:6.2f} s[/]  [bold]{line.kind:<12}[/] [{style}]{text}[/]"


def is_done(view: StudyView, rules: int) -> bool:
    """Whether all that was begun is settled, and there is a result or every rule has decided."""
    if time.time() - view.last_at < SILENCE_SECONDS:
        return False
    answered = any(item.results for item in view.workitems) or len(view.workitems) == rules
    return answered and all(item.state.settled for item in view.workitems)


def is_verified(view: StudyView) -> bool:
    """Whether there are results and a destination has shown every one of them."""
    results = [result for item in view.workitems for result in item.results]
    return bool(results) and all(result.verified for result in results)


def session_folder(root: Path) -> Path:
    """An empty folder for this demonstration; those of demonstrations that ended are removed."""
    root.mkdir(exist_ok=True)
    for old in root.iterdir():
        owner = old / "owner"
        pid, _, started = owner.read_text().partition(" ") if owner.exists() else ("0", "", "")
        if not is_alive(int(pid), started):
            shutil.rmtree(old, ignore_errors=True)
    folder = root.resolve() / f"session-{os.getpid()}"
    folder.mkdir()
    (folder / "owner").write_text(f"{os.getpid()} {own_start_time()}")
    return folder
