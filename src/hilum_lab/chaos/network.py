"""The network the faults happen in: scanner, PACS, gate, a second archive, and Hilum.

scanner -> PACS (Orthanc) -- wire --> Hilum -- gate --> PACS      (STOW-RS, QIDO-RS)
                ^----- watched by ------'  `----------> archive   (C-STORE, C-FIND)
"""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hilum_lab import disk
from hilum_lab.archives.behaviour import AE_TITLE, DimseBehaviour
from hilum_lab.archives.dimse import WELL, DimseArchive
from hilum_lab.chaos.exams import TARGET, Exams
from hilum_lab.chaos.gate import PacsProxy, Wire
from hilum_lab.chaos.gateway import RunningHilum
from hilum_lab.network.orthanc import Orthanc
from hilum_lab.network.processes import available_port
from hilum_lab.package import write_package

LISTENER = "HIPPOAI"
PACS_NAME, ARCHIVE_NAME = "pacs", "archive"  # the two destinations
PROOF_SECONDS = 8.0  # both show at once what they keep


@dataclass(frozen=True)
class Plan:
    """How a network differs from the usual one; faults with the same plan share a network."""

    name: str = "usual"
    rule: Mapping[str, Any] = field(default_factory=dict)  # further keys of the rule
    worker: Mapping[str, Any] = field(default_factory=dict)
    receiver: Mapping[str, Any] = field(default_factory=dict)
    archive: Mapping[str, Any] = field(default_factory=dict)  # keys of that destination
    archive_behaviour: DimseBehaviour = WELL
    watched: bool = True  # Hilum watches the PACS for what routing loses
    data_mb: int = 0  # size of the file system that Hilum's data lie on; 0 means the disk as it is
    moody: bool = False  # the module is `moody.py`, which misbehaves as the study asks for
    last: bool = False  # the fault may leave a wreck behind: the network ends with it


USUAL = Plan()


class ClinicalNetwork:
    """All parts, running inside `with`, in a folder of their own that goes with them."""

    def __init__(self, plan: Plan, templates: list[Path], whole: bool) -> None:
        self.plan = plan
        self.folder = Path(tempfile.mkdtemp(prefix="hilum-chaos-"))
        self.exams = Exams(templates, self.folder / "scanner", whole)
        ports = [available_port() for _ in range(7)]
        dicom, http, gate, wire, receiver, console, archive = ports
        self.wire = Wire(receiver, wire)
        self.pacs = Orthanc(
            self.folder / "pacs",
            dicom_port=dicom,
            http_port=http,
            route_to=(LISTENER, "127.0.0.1", wire),
        )
        self.gate = PacsProxy(http, gate)
        self.archive = DimseArchive(archive, commit_to=receiver)
        self._settings = self._site(receiver, console)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            if self.plan.data_mb:
                stack.enter_context(disk.mounted(self.folder / "hilum", self.plan.data_mb))
            self.pacs.start()
            stack.callback(self.pacs.kill)  # to stop in order takes long, and nobody needs it again
            stack.callback(self.gate.close)
            stack.callback(self.archive.close)
            stack.callback(self.wire.cut)
            packages = self._packages() if self.plan.moody else None
            self.hilum = RunningHilum(self.folder, self._settings, packages)
            stack.callback(self.hilum.stop)
            self.mend()
            self.hilum.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def mend(self) -> None:
        """Everything outside Hilum as it should be."""
        self.gate.open()
        self.wire.open()
        self.archive.open(self.plan.archive_behaviour)

    def _site(self, receiver: int, console: int) -> dict[str, Any]:
        plan = self.plan
        destinations = [
            {
                "name": PACS_NAME,
                "kind": "dicomweb",
                "url": f"http://127.0.0.1:{self.gate.port}/dicom-web",
                "timeout_seconds": 10,
                "proof_seconds": PROOF_SECONDS,
            },
            {
                "name": ARCHIVE_NAME,
                "kind": "dimse",
                "port": self.archive.port,
                "ae_title": AE_TITLE,
                "timeout_seconds": 10,
                "proof_seconds": PROOF_SECONDS,
                **plan.archive,
            },
        ]
        rule = {
            "module": "moody" if plan.moody else "hippocampal-volume",
            "series": {"SeriesDescription": f"^{TARGET}"},
            "send_to": [PACS_NAME, ARCHIVE_NAME],
            "study_quiet_seconds": 3.0,
            **plan.rule,
        }
        source: dict[str, Any] = {"name": "pacs", "kind": "orthanc", "url": self.pacs.url}
        source |= {"wait_seconds": 3.0, "poll_seconds": 1.0, "sweep_seconds": 10.0}
        return {
            "receiver": {"port": receiver, "low_water_mb": 0, **plan.receiver},
            "console": {"port": console},
            "worker": {"threads": 1, **plan.worker},
            "source": [source] if plan.watched else [],
            "destination": destinations,
            "rule": [rule],
        }

    def _packages(self) -> Path:
        """A package whose entry point is the moody module, installed as a third party's."""
        folder = self.folder / "packages"
        write_package(folder, "moody", {"moody": "hilum_lab.chaos.moody:Moody"})
        return folder
