"""The calls of uv, which resolves, locks and installs what a module needs.

Its binary has 38 MB, so it comes only with the extra `environments`.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hilum.errors import HilumError, MissingPartError

VERSION = "0.13.9"
MISSING = "uv is not installed; it makes the environments of modules: {} -m pip install uv=={}"
_ASK = "import json, sys; print(json.dumps([getattr(sys, '_base_executable', sys.executable)]))"
SECONDS = 1800  # that one call may take: torch is large, and lines are slow


class InstallingError(HilumError):
    """A module was not installed; the text says why, in uv's words."""


@dataclass(frozen=True)
class Uv:
    """uv for one interpreter. With `wheels`, everything comes from that folder."""

    python: Path
    wheels: Path | None = None

    def lock(self, wanted: Path, lock: Path) -> None:
        """Write to `lock` what the requirements in `wanted` come to, each with its hashes."""
        words = ("--generate-hashes", "--no-header", "--no-annotate")
        self._pip("compile", *words, "--output-file", str(lock), str(wanted))

    def install(self, lock: Path, target: Path) -> None:
        """Install what `lock` lists into the folder `target`: each by its hash.

        Copied, or who changes a file there would change it in the cache of uv; and compiled, for no
        module may write there.
        """
        words = ("--require-hashes", "--compile-bytecode", "--link-mode", "copy")
        self._pip("sync", *words, "--target", str(target), str(lock))

    def _pip(self, command: str, *words: str) -> None:
        wheels_only = ("--no-build", "--python", str(self.python))
        _run(["pip", command, *wheels_only, *self._places(), *words])

    def _places(self) -> list[str]:
        if self.wheels is None:
            return []
        return ["--offline", "--no-index", "--find-links", str(self.wheels)]


def interpreter(wanted: str | None) -> Path:
    """The interpreter that `wanted` names, by path or version (3.11); ours without it.

    One that is installed already, and not that of a virtual environment, whose packages we do not
    want. Raises `InstallingError` where there is none.
    """
    found = _run(["python", "find", "--no-project", wanted]) if wanted else sys.executable
    asked = subprocess.run(
        [found.strip(), "-I", "-S", "-c", _ASK], capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise InstallingError(f"{found.strip()} is no Python that starts")
    (base,) = json.loads(asked.stdout)
    return Path(base).resolve()


def _binary() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if not found:
        raise MissingPartError(MISSING.format(sys.executable, VERSION))
    return found


def _run(words: Sequence[str]) -> str:
    """Run uv with nothing but what is said here: no settings, no download of interpreters.

    It trusts the certificates that the system trusts, as pip does: a hospital's proxy has its own.
    """
    command = [_binary(), "--no-config", "--color", "never", *words]
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_SYSTEM_CERTS": "1"}
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=SECONDS
    )
    if ran.returncode:
        raise InstallingError(f"uv {words[0]} {words[1]}: {ran.stderr.strip()[-2000:]}")
    return ran.stdout
