"""The test kit for authors: one contract for every implementation of an interface.

Call these from a test of your own; they raise `AssertionError` with the broken promise.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom

from hilum.destinations import Destination
from hilum.dicom.uids import derived_uid

SHOWN_WITHIN = 30.0  # seconds; archives index what they stored in the background


def check_destination(destination: Destination, files: Sequence[Path]) -> None:
    """Check that `destination` keeps the promises results depend on.

    Parameters
    ----------
    destination
        Empty of `files`, and reachable.
    files
        DICOM Part 10 files, at least one.
    """
    assert destination.name, "a destination has a name"
    assert list(destination.missing(files)) == list(files), (
        "before sending, every file is missing, in the order asked"
    )
    destination.send(files)
    _wait_until_shown(destination, files)
    destination.send(files)  # a crash between sending and writing it down repeats the sending
    _wait_until_shown(destination, files)
    with TemporaryDirectory() as folder:
        sibling = _sibling(files[0], Path(folder))
        assert destination.missing([*files, sibling]) == [sibling], (
            "an instance of a known series that was never sent is missing: read back instances, "
            "not series"
        )


def _wait_until_shown(destination: Destination, files: Sequence[Path]) -> None:
    deadline = time.monotonic() + SHOWN_WITHIN
    while missing := destination.missing(files):
        assert time.monotonic() < deadline, (
            f"{len(missing)} of {len(files)} files sent are not shown after {SHOWN_WITHIN:.0f} s"
        )
        time.sleep(0.2)


def _sibling(file: Path, folder: Path) -> Path:
    """A copy of `file` with a SOP Instance UID of its own."""
    dataset = pydicom.dcmread(file)
    dataset.SOPInstanceUID = derived_uid("check_destination", dataset.SOPInstanceUID)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    path = folder / "sibling.dcm"
    dataset.save_as(path)
    return path
