"""`hilum demo`: scanner, PACS, Hilum and viewer on one machine, and one exam through them all."""

import json
import os
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hilum import views
from hilum.config import Site, parse
from hilum.dicom.instance import Instance
from hilum.engine.process import is_alive, own_start_time
from hilum.errors import HilumError
from hilum.logs import silence_libraries
from hilum.network import exam as sample
from hilum.network import parts, scanner
from hilum.network.orthanc import Orthanc
from hilum.network.processes import available_port, listens
from hilum.network.viewer import Viewer
from hilum.records import Records, State
from hilum.serve import Supervisor, records_url
from hilum.terminal import progress_bar

PORTS = {"pacs_dicom": 4242, "pacs_http": 8042, "viewer": 3000, "receiver": 11112, "console": 8040}
NAMES = {
    "pacs_dicom": "PACS (DICOM)",
    "pacs_http": "PACS (HTTP)",
    "viewer": "viewer",
    "receiver": "Hilum's listener",
    "console": "Hilum's console",
}
READY_SECONDS = 60
RESULT_SECONDS = 300


class Demo:
    """One demonstration. `run` returns the exit status: 0 only if every result was read back."""

    def __init__(self, exam: Path | None, once: bool, as_json: bool) -> None:
        self.exam = exam
        self.once = once
        self.as_json = as_json
        self.say = Console(stderr=as_json, highlight=False)
        self.seconds: dict[str, float] = {}
        self.folder = session_folder(Path(".demo"))

    def run(self) -> int:
        """Start everything, send the exam, follow it, and stop everything again."""
        silence_libraries()
        try:
            with ExitStack() as stack:
                return self._run(stack)
        except KeyboardInterrupt:
            self.say.print("\nstopping")
            return 130
        finally:
            (self.folder / "owner").unlink(missing_ok=True)

    def _run(self, stack: ExitStack) -> int:
        clock = time.monotonic()
        files = self._exam_files()
        ohif = parts.ohif()
        ports = self._free_ports()
        self._lap("prepare", clock)

        clock = time.monotonic()
        site = demo_site(self.folder, ports)
        supervisor = Supervisor(site)
        supervisor.start()
        stack.callback(supervisor.stop)
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
        self._wait_for_receiver(receiver)
        self._lap("start", clock)
        self.say.print(f"clinical network is up after {self.seconds['start']:.1f} s")

        study_uid = Instance.read(files[0]).study_uid
        clock = time.monotonic()
        self._send(files, ("ORTHANC", "127.0.0.1", ports["pacs_dicom"]))
        self._lap("send", clock)
        clock = time.monotonic()
        view = self._follow(Records(records_url(site)), study_uid, len(files), supervisor)
        self._lap("send to verified result", clock)
        self.seconds["total"] = round(sum(self.seconds.values()), 2)

        addresses = {
            "viewer": viewer.study_url(study_uid),
            "pacs": pacs.url,
            "hilum": f"http://127.0.0.1:{ports['console']}/studies/{study_uid}",
        }
        self._show(view, addresses)
        good = is_verified(view)
        if self.as_json:
            report = {**view, "verified": good, "addresses": addresses, "seconds": self.seconds}
            sys.stdout.write(json.dumps(report) + "\n")
            sys.stdout.flush()
        if not self.once:
            self.say.print("running until Ctrl-C")
            while True:
                supervisor.check()
                time.sleep(0.25)
        return 0 if good else 1

    def _exam_files(self) -> list[Path]:
        if self.exam is None:
            folder = parts.folder_of_parts() / "sample-exam"
            if not folder.exists():
                self.say.print("making the sample exam (once)")
                folder.parent.mkdir(parents=True, exist_ok=True)
                partial = folder.with_name("sample-exam.part")
                shutil.rmtree(partial, ignore_errors=True)
                sample.make_exam(partial)
                partial.rename(folder)
            self.exam = folder
        files = scanner.dicom_files(self.exam)
        if not files:
            raise HilumError(f"{self.exam} holds no DICOM files")
        return files

    def _free_ports(self) -> dict[str, int]:
        ports = {}
        for part, preferred in PORTS.items():
            ports[part] = available_port(preferred)
            if ports[part] != preferred:
                self.say.print(f"port {preferred} ({NAMES[part]}) is taken, using {ports[part]}")
        return ports

    def _wait_for_receiver(self, receiver: tuple[str, str, int]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not listens(receiver[2]):
            if time.monotonic() > deadline:
                raise HilumError(f"Hilum's listener did not start; see {self.folder}/hilum/logs")
            time.sleep(0.05)

    def _send(self, files: list[Path], pacs: tuple[str, str, int]) -> None:
        with progress_bar("scanner -> PACS", self.say) as progress:
            task = progress.add_task("", total=len(files))
            report = scanner.send(
                files,
                pacs,
                "SCANNER",
                progress=lambda _sent: progress.advance(task),
            )
        if report.failed:
            raise HilumError(f"the PACS did not take every image: {report}")

    def _follow(
        self, records: Records, study_uid: str, images: int, supervisor: Supervisor
    ) -> views.View:
        """Show every event of the study as it happens, until all is received and settled."""
        shown = 0
        deadline = time.monotonic() + RESULT_SECONDS
        with progress_bar("PACS -> Hilum", self.say) as progress:
            task = progress.add_task("", total=images)
            while time.monotonic() < deadline:
                supervisor.check()
                lines = views.trace(records, study_uid)
                for line in lines[shown:]:
                    progress.console.print(event_line(line, lines[0]["at"]), soft_wrap=True)
                shown = len(lines)
                if lines:
                    view = views.study(records, study_uid)
                    progress.update(task, completed=view["images"])
                    states = [State(item["state"]) for item in view["workitems"]]
                    done = bool(states) and all(state.settled for state in states)
                    if done and view["images"] >= images:
                        return view
                time.sleep(0.05)
        raise HilumError(f"no result after {RESULT_SECONDS} s; see {self.folder}/hilum/logs")

    def _show(self, view: views.View, addresses: dict[str, str]) -> None:
        table = Table("structure", "volume", box=None, title_justify="left")
        for item in view["workitems"]:
            for finding in item["findings"]:
                if finding["kind"] == "measurement":
                    sd = f" ± {finding['uncertainty']:.2f}" if finding["uncertainty"] else ""
                    table.add_row(finding["of"] or "", f"{finding['value']:.2f}{sd} mL")
                elif "text" in finding:
                    self.say.print(f"{finding['kind']}: {finding['text']}")
        if table.row_count:
            self.say.print(table)
        self.say.print("[bold]Research use only, not for diagnosis.[/]")
        self.say.print(f"viewer  {addresses['viewer']}", soft_wrap=True)
        self.say.print(f"PACS    {addresses['pacs']}", soft_wrap=True)
        self.say.print(f"Hilum   {addresses['hilum']}", soft_wrap=True)
        phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
        self.say.print(f"[dim]{phases}[/]")

    def _lap(self, phase: str, since: float) -> None:
        self.seconds[phase] = round(time.monotonic() - since, 2)


def demo_site(folder: Path, ports: dict[str, int]) -> Site:
    """The settings of the demo: the seed's network, results back by C-STORE."""
    settings: dict[str, Any] = {
        "data": folder / "hilum",
        "receiver": {"port": ports["receiver"]},
        "console": {"port": ports["console"]},
        "destination": [{"name": "pacs", "kind": "dimse", "port": ports["pacs_dicom"]}],
        "rule": [
            {
                "module": "hippocampal-volume",
                "series": {"SeriesDescription": "^HippoCrop$"},
                "send_to": ["pacs"],
            }
        ],
    }
    return parse(settings)


def event_line(line: views.View, start: float) -> str:
    """One event of a trace as a line of the terminal, times counted from `start`."""
    style = "dim" if line["text"].startswith("rejected") else "default"
    text = escape(line["text"])
    return f"  [dim]+{line['at'] - start:6.2f} s[/]  [bold]{line['kind']:<12}[/] [{style}]{text}[/]"


def is_verified(view: views.View) -> bool:
    """Whether there are results and a destination has shown every one of them."""
    results = [result for item in view["workitems"] for result in item["results"]]
    return bool(results) and all(result["verified"] for result in results)


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
