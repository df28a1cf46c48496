"""The radiologist's viewer: OHIF in the browser, served next to the PACS's images."""

import sys
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

from hilum import viewer
from hilum_lab.network import parts
from hilum_lab.network.processes import LOOPBACK, Child, Service, available_port, listens

PROXY = Path(viewer.__file__).with_name("proxy.py")


class Viewer(Service):
    """The viewer's web server as a child process; running inside `with`, or `start()` to `stop()`.

    Parameters
    ----------
    folder
        Gets the log.
    pacs_url
        Root of the PACS's web server, such as `Orthanc.url`.
    port
        HTTP port; 0 takes a free one.
    dist
        OHIF's built files; by default `parts.ohif()` fetches them when the viewer starts.
    """

    def __init__(
        self, folder: Path, pacs_url: str, *, port: int = 0, dist: Path | None = None
    ) -> None:
        self.folder = folder
        self.pacs_url = pacs_url
        self.port = port or available_port()
        self._dist = dist

    @property
    def url(self) -> str:
        """The study list."""
        return f"http://{LOOPBACK}:{self.port}"

    def study_url(self, study_uid: str) -> str:
        """The page that shows one study."""
        return f"{self.url}/viewer?{urlencode({'StudyInstanceUIDs': study_uid})}"

    def start(self) -> Self:
        """Start the server; return when it accepts connections."""
        dist = self._dist or parts.ohif()
        self.folder.mkdir(parents=True, exist_ok=True)
        # -P: the program's folder must not shadow other packages' modules.
        program: list[str | Path] = [sys.executable, "-P", PROXY]
        options = ["--pacs", self.pacs_url, "--host", LOOPBACK, "--port", str(self.port)]
        command = [*program, "--dist", dist, *options]
        self._child = Child("The viewer's web server", command, self.folder / "viewer.log")
        self._child.wait_until(lambda: listens(self.port))
        return self
