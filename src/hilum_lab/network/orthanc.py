"""The PACS: Orthanc with DICOMweb, as an ordinary child process with a folder of its own."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx

from hilum.errors import MissingPartError
from hilum.sources.autoroute import Listener, routing
from hilum_lab.network.processes import LOOPBACK, Child, Service, available_port, listens

PROGRAMS = ("Orthanc", "/usr/sbin/Orthanc", "/usr/local/sbin/Orthanc")
PLUGINS = ("/usr/share/orthanc/plugins", "/usr/local/share/orthanc/plugins", "/usr/lib/orthanc")
INSTALL = "sudo apt-get install orthanc orthanc-dicomweb"

ANSWER_SECONDS = 30.0  # longest wait for its answer: others may keep it busy meanwhile

# DCMTK, the DICOM half of Orthanc, leaves Nagle's algorithm on: each image then waits 50 ms, and an
# exam of 260 images takes 14 s instead of two. Its own tools (dcmsend) need this variable as well.
DCMTK_ENVIRONMENT = {"TCP_NODELAY": "1"}


class Orthanc(Service):
    """An Orthanc server; running inside `with`, or between `start()` and `stop()`.

    Parameters
    ----------
    folder
        Keeps configuration, log, index and images; a second start finds them again.
    dicom_port, http_port
        0 takes a free port.
    ae_title
        The server answers to every called AE title and calls others with this one.
    route_to
        AE title, host and port of a listener that gets every stored instance (`autoroute.lua`).
    settings
        Further keys of Orthanc's configuration; they win over ours.

    Raises
    ------
    MissingPartError
        Orthanc or its DICOMweb plug-in is not installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dicom_port: int = 0,
        http_port: int = 0,
        ae_title: str = "ORTHANC",
        route_to: tuple[str, str, int] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.dicom_port = dicom_port or available_port()
        self.http_port = http_port or available_port()
        self.ae_title = ae_title
        self.route_to = Listener(*route_to) if route_to else None
        self._settings = settings or {}

    @property
    def url(self) -> str:
        """Root of the REST API."""
        return f"http://{LOOPBACK}:{self.http_port}"

    @property
    def dicomweb_url(self) -> str:
        """Root of DICOMweb (PS3.18)."""
        return f"{self.url}/dicom-web"

    def start(self) -> Self:
        """Start the server; return when it answers on HTTP and DICOM."""
        program, plugin = _program(), _plugin()
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "orthanc.json"
        file.write_text(json.dumps(self.configuration(plugin), indent=2))
        log = self.folder / "orthanc.log"
        self._child = Child("Orthanc", [program, file], log, DCMTK_ENVIRONMENT)
        self._child.wait_until(self.answers)
        return self

    def answers(self) -> bool:
        """Whether the server answers, even if it asks for a password."""
        if not listens(self.http_port):  # a request takes far longer to fail, and many are made
            return False
        try:
            return not httpx.get(f"{self.url}/system", timeout=2).is_server_error
        except httpx.TransportError:
            return False

    def configuration(self, plugin: Path) -> dict[str, object]:
        """What is written to `orthanc.json`."""
        storage = str(self.folder / "storage")
        return {
            "Name": "Hilum demo PACS",
            "StorageDirectory": storage,
            "IndexDirectory": storage,
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "DicomAet": self.ae_title,
            # The HTTP port listens on every interface; only loopback is served. Orthanc has no such
            # switch for its DICOM port.
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomCheckCalledAet": False,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowStore": True,
            "UnknownSopClassAccepted": True,
            "DefaultEncoding": "Utf8",
            "OverwriteInstances": False,
            "SaveJobs": True,
            "StableAge": 5,
            # Named, because the default folder would load every plug-in of the machine.
            "Plugins": [str(plugin)],
            "DicomWeb": {
                "Enable": True,
                "Root": "/dicom-web/",
                "EnableWado": True,
                "WadoRoot": "/wado",
                "StudiesMetadata": "Full",
                "SeriesMetadata": "Full",
            },
            **self._routing(),
            **self._settings,
        }

    def _routing(self) -> dict[str, object]:
        return routing(self.route_to) if self.route_to else {}


def _program() -> str:
    for name in PROGRAMS:
        found = shutil.which(name)
        if found:
            return found
    raise MissingPartError(f"Orthanc is not installed: {INSTALL}")


def _plugin() -> Path:
    for folder in PLUGINS:
        for path in sorted(Path(folder).glob("libOrthancDicomWeb.so*")):
            return path
    raise MissingPartError(f"Orthanc's DICOMweb plug-in is not installed: {INSTALL}")
