"""The wall around the process that reads an upload: it sees the upload and the inbox, no records.

Where this machine has no Landlock it stands without, as the receiver does, which reads the same
from whoever sends it.
"""

from collections.abc import Iterator
from pathlib import Path

from hilum.hosts.reaching import folders_of_python
from hilum.hosts.walls import DEVICES, SYSTEM_FILES, SYSTEM_FOLDERS, files

UPLOADS = "uploads"  # in the data folder: what is handed over, until it was read
OF_INBOX = ("incoming", "partial", "quarantine")
READ_OF_DATA = ("removed", "versions")


def wall_in(data: Path) -> None:
    """Leave this process nothing else, and no network, for good, where the machine can do that.

    Raises `OSError` where a wall that is there cannot be raised.
    """
    version = files.abi()
    if version:
        files.restrict(_allowed(data), version, network=False)


def _allowed(data: Path) -> Iterator[tuple[Path, int]]:
    for path in (*map(Path, (*SYSTEM_FOLDERS, *SYSTEM_FILES)), *folders_of_python()):
        yield path, files.READ
    for name in READ_OF_DATA:
        yield data / name, files.READ
    for name in (*OF_INBOX, UPLOADS):
        yield data / name, files.CHANGE
    for name in DEVICES:
        yield Path(name), files.READ_FILE | files.WRITE_FILE
