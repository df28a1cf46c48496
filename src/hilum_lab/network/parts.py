"""Parts that are too large for the repository: fetched once, checked against a pinned digest."""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from rich.console import Console

from hilum.errors import MissingPartError

OHIF = "@ohif/app@3.13.2"
OHIF_INTEGRITY = (
    "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F"
    "87BKxFfpq+jd5xXZB9E8EA=="
)
DIST = "package/dist/"
LEFT_OUT = f"{DIST}ort/"  # 136 MB of engine for a drawing aid that downloads its network
MOST_FILES = 5_000  # the pinned package has 191 files ...
MOST_BYTES = 500_000_000  # ... of 71 MB in all


def folder_of_parts() -> Path:
    """`$HILUM_PARTS`, or `.parts` in the source checkout, or in the working folder."""
    chosen = os.environ.get("HILUM_PARTS")
    if chosen:
        return Path(chosen)
    checkout = Path(__file__).parents[3]
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / ".parts"


def ohif(folder: Path | None = None) -> Path:
    """The OHIF viewer's built files, fetched on the first call.

    Parameters
    ----------
    folder
        Where parts are kept; by default `folder_of_parts()`.

    Raises
    ------
    MissingPartError
        npm is missing, the download failed, or it is not the pinned package.
    """
    folder = folder or folder_of_parts()
    place = folder / OHIF.rpartition("/")[2].replace("@", "-")
    if not place.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="fetching-") as work:
            with Console(stderr=True).status("Fetching the OHIF viewer (50 MB, once) ..."):
                tarball = _fetch(OHIF, Path(work))
                verify(tarball, OHIF_INTEGRITY)
                _unpack(tarball, Path(work) / "unpacked")
            _move(Path(work) / "unpacked" / DIST, place)
    return place


def sample(name: str, make: Callable[[Path], object]) -> Path:
    """The folder of a sample study called `name`, made by `make` on the first call."""
    folder = folder_of_parts() / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as work:
            with Console(stderr=True).status(f"Making {name} (once) ..."):
                make(Path(work) / name)
            _move(Path(work) / name, folder)
    return folder


def verify(tarball: Path, integrity: str) -> None:
    """Raise `MissingPartError` unless `tarball` has the npm `integrity` (sha512, base64)."""
    with tarball.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    if f"sha512-{base64.b64encode(digest).decode()}" != integrity:
        raise MissingPartError(
            f"{tarball.name} is not the package this version was tested with (its digest differs); "
            "nothing of it was used"
        )


def _fetch(package: str, folder: Path) -> Path:
    npm = shutil.which("npm")
    if not npm:
        raise MissingPartError(f"npm is needed to fetch {package}: sudo apt-get install npm")
    command = [npm, "pack", package, "--silent", "--pack-destination", str(folder)]
    fetched = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    tarballs = sorted(folder.glob("*.tgz"))
    if fetched.returncode or not tarballs:
        reason = fetched.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise MissingPartError(
            f"`npm pack {package}` failed ({reason[0]}). Run it on a machine with network access."
        )
    return tarballs[0]


def _unpack(tarball: Path, folder: Path) -> None:
    """The wanted files of `tarball` below `folder`, written one by one.

    `extractall` is not used: without its filter, which Debian's Python 3.11.2 does not have, it
    would follow links and set owners and modes as the archive says.
    """
    with tarfile.open(tarball) as archive:
        for member in _wanted(archive):
            target = folder / member.name
            content = archive.extractfile(member)
            assert content is not None  # it is a regular file
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("xb") as file:
                shutil.copyfileobj(content, file)


def _wanted(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The regular files that are wanted; raises `MissingPartError` before the first odd member."""
    files = size = 0
    for member in archive:
        if not member.name.startswith(DIST) or member.name.startswith(LEFT_OUT) or member.isdir():
            continue
        if not member.isreg() or ".." in PurePosixPath(member.name).parts:
            raise MissingPartError(
                "the package holds a link, a device or a path that leads out of its folder; "
                "nothing of it was used"
            )
        files, size = files + 1, size + member.size
        if files > MOST_FILES or size > MOST_BYTES:
            raise MissingPartError(
                f"the package holds more than {MOST_FILES} files or {MOST_BYTES // 10**6} MB; "
                "nothing of it was used"
            )
        yield member


def _move(source: Path, target: Path) -> None:
    try:
        source.rename(target)  # all or nothing
    except OSError:
        if not target.is_dir():  # unless another process was quicker
            raise
