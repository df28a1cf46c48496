"""The Hilum under test: a real `hilum serve`, whose processes can be found and killed by name."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hilum.config import load
from hilum.config.site import Site
from hilum.errors import HilumError
from hilum.processes.process import descendants
from hilum.records import Records, records_url
from hilum_lab.network.processes import START_SECONDS, Child, listens

ROLES = ("receiver", "gateway", "console", "worker", "module")
LASTING = ROLES[:4]  # a module's process starts again only when it is needed


class RunningHilum:
    """`hilum serve` with `settings`, its files below `folder`.

    Parameters
    ----------
    packages
        A folder with further modules (a package and its entry points), for the Python path.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], packages: Path | None) -> None:
        self._folder = folder
        self._file = folder / "hilum.toml"
        self._file.write_text(as_toml({"data": str(folder / "hilum"), **settings}))
        self.site: Site = load(self._file)
        self.site.data.mkdir(exist_ok=True)
        paths = [str(packages)] if packages else []
        paths += [path for path in sys.path if path]  # a child runs the same Hilum as we do
        self._environment = {"PYTHONPATH": os.pathsep.join(paths)}
        self._child: Child | None = None
        self.records = Records(records_url(self.site))

    def start(self) -> None:
        """Start it; return when it listens."""
        command: list[str | Path] = [sys.executable, "-m", "hilum", "serve", "-c", self._file]
        log = self._folder / "serve.log"
        self._child = Child("hilum serve", command, log, self._environment)
        self._child.wait_until(self.is_well)

    def command(self, *words: str) -> int:
        """Exit status of `hilum WORDS` as a person types it."""
        return self.typed(*words).returncode

    def typed(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`hilum WORDS` as a person types it, and what it printed."""
        command = [sys.executable, "-m", "hilum", *words, "-c", str(self._file)]
        environment = {**os.environ, "COLUMNS": "300", **self._environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def stop(self) -> None:
        """Stop it in order."""
        if self._child:
            self._child.stop(20)
            self._child = None
        self.records.close()

    def is_well(self) -> bool:
        """Whether it listens and every process that lasts is there."""
        return (
            listens(self.site.receiver.port)
            and listens(self.site.console.port)
            and all(self.pids(role) for role in LASTING)
        )

    def wait_until_well(self) -> None:
        """Return when all processes are back; raise `HilumError` if they do not come."""
        deadline = time.monotonic() + START_SECONDS
        while not self.is_well():
            if time.monotonic() > deadline:
                raise HilumError(f"Hilum does not come back; its log is {self.log}")
            time.sleep(0.05)

    @property
    def log(self) -> Path:
        """Where its processes write what happens."""
        return self.site.data / "logs" / "hilum.log"

    def pids(self, role: str) -> list[int]:
        """The processes of one role, by their names, of which the kernel keeps 15 letters."""
        assert self._child
        below = descendants(self._child.pid)
        start = "module " if role == "module" else f"hilum {role}"[:15]
        return [pid for pid, name in below.items() if name.startswith(start)]

    def kill(self, role: str) -> int:
        """kill -9 of every process of `role`; how many there were."""
        pids = self.pids(role)
        for pid in pids:
            _kill(pid)
        return len(pids)

    def kill_everything(self) -> None:
        """kill -9 of the parent and of all others, in one go. Nothing starts again by itself."""
        assert self._child
        below = descendants(self._child.pid)
        self._child.kill()
        for pid in below:
            _kill(pid)
        _until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it may have ended meanwhile
        os.kill(pid, signal.SIGKILL)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def as_toml(values: Mapping[str, Any]) -> str:
    """Settings as a TOML document: plain values first, then tables and arrays of tables."""
    plain = {k: v for k, v in values.items() if not isinstance(v, dict) and not _is_array(v)}
    lines = [f"{key} = {_value(value)}" for key, value in plain.items()]
    for key, value in values.items():
        if isinstance(value, dict):
            lines += [f"[{key}]", *(f"{k} = {_value(v)}" for k, v in value.items())]
        elif _is_array(value):
            for item in value:
                lines += [f"[[{key}]]", *(f"{k} = {_value(v)}" for k, v in item.items())]
    return "\n".join(lines) + "\n"


def _is_array(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)  # strings, numbers and booleans are written alike
