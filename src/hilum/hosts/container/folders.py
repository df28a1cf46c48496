"""What a container is given, a copy of its own, and what it leaves: bounded, plain files only."""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hilum.dicom.instance import Instance
from hilum.dicom.parts import Part
from hilum.errors import ModuleError

MOST_FILES = 10_000  # that a container may leave, or make of what it was given
DEEPEST = 8  # folders within each other
OPEN_TO_ALL, WRITABLE_BY_ALL = 0o777, 0o666  # the folder around them is only ours


@dataclass(frozen=True)
class RunFolders:
    """The folders of one run, and the images that lie in `given` by the names of their files."""

    given: Path
    left: Path
    images: Mapping[str, Instance]


def hand_in(scratch: Path, parts: Sequence[Part]) -> RunFolders:
    """Copy the files of `parts` to a new folder below `scratch`; the container may change them.

    A file is called `SERIES#INSTANCE.dcm`, by UIDs; UIDs name no patient.
    """
    case = RunFolders(scratch / "in", scratch / "out", {})
    for folder in (case.given, case.left):
        folder.mkdir()
        folder.chmod(OPEN_TO_ALL)
    images = {}
    for path in dict.fromkeys(part.path for part in parts):
        image = Instance.read(path)
        name = f"{image.series_uid}#{image.sop_instance_uid}.dcm"
        shutil.copyfile(path, case.given / name)
        (case.given / name).chmod(WRITABLE_BY_ALL)
        images[name] = image
    return RunFolders(case.given, case.left, images)


def put(case: RunFolders, name: str, content: bytes) -> None:
    """Write one more file beside the images."""
    (case.given / name).write_bytes(content)
    (case.given / name).chmod(WRITABLE_BY_ALL)


def is_within(folder: Path, most_bytes: int) -> bool:
    """Whether all that lies in `folder` is no more than a container may leave, nor deeper."""
    size = number = 0
    for root, folders, files, descriptor in os.fwalk(folder, onerror=lambda _error: None):
        if _is_too_deep(root, folder):
            return False
        number += len(folders) + len(files)
        for name in files:
            size += _bytes_of(name, descriptor)
        if size > most_bytes or number > 2 * MOST_FILES:
            return False
    return True


def _bytes_of(name: str, descriptor: int) -> int:
    try:
        known = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except OSError:
        return 0  # it is gone again
    return max(known.st_size, known.st_blocks * 512)


def taken(folder: Path, most_bytes: int) -> dict[str, bytes]:
    """The files in `folder` by their paths there; no link is followed and nothing is waited for.

    Raises
    ------
    ModuleError
        Something is no regular file, or it is too much. Names are not told: patients' may be in
        them.
    """
    found: dict[str, bytes] = {}
    room = most_bytes
    for path, content in _files(folder, most_bytes):
        room -= len(content)
        if room < 0 or len(found) == MOST_FILES:
            raise ModuleError(too_much(most_bytes))
        found[path] = content
    return found


def too_much(most_bytes: int) -> str:
    return (
        f"the container left more than {most_bytes >> 20} MiB or {MOST_FILES} files, or folders"
        f" more than {DEEPEST} deep"
    )


def _is_too_deep(inside: str, folder: Path) -> bool:
    return len(Path(inside).relative_to(folder).parts) >= DEEPEST


def _files(folder: Path, most_bytes: int) -> Iterator[tuple[str, bytes]]:
    for root, folders, files, descriptor in os.fwalk(folder):
        inside = Path(root).relative_to(folder)
        if _is_too_deep(root, folder):
            raise ModuleError(too_much(most_bytes))
        folders.sort()
        for name in folders:
            mode = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode
            _require(stat.S_ISDIR(mode))
        for name in sorted(files):
            yield str(inside / name), _content(name, descriptor, most_bytes)


def _content(name: str, folder: int, most_bytes: int) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    _require(stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode))
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        raise ModuleError("the container left a file that cannot be read") from error
    with os.fdopen(descriptor, "rb") as file:
        known = os.fstat(file.fileno())
        _require(stat.S_ISREG(known.st_mode))
        if known.st_size > most_bytes:
            raise ModuleError(too_much(most_bytes))
        return file.read(most_bytes)


def _require(is_plain: bool) -> None:
    if not is_plain:
        raise ModuleError("the container left something that is no plain file, such as a link")
