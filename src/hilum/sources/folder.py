"""Take in the DICOM files of a folder; they stay where they are."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from pydicom.filereader import read_file_meta_info
from pydicom.uid import MediaStorageDirectoryStorage

from hilum.dicom.header import HOSTILE
from hilum.inbox import Inbox, Stored

logger = logging.getLogger(__name__)


def take_in(folder: Path, inbox: Inbox) -> Iterator[Stored]:
    """Store every DICOM file below `folder` in `inbox`, whatever its name, in order of names.

    DICOMDIR files (PS3.10 8.6) and files without the DICOM prefix are skipped; how many is logged.
    """
    skipped = taken = 0
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if not _is_instance(path):
                skipped += 1
                continue
            yield inbox.store(path.read_bytes())
            taken += 1
    logger.info("folder source: %d files taken in, %d skipped as not DICOM", taken, skipped)


def _is_instance(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if file.read(132)[128:] != b"DICM":
                return False
        sop_class = str(read_file_meta_info(path).get("MediaStorageSOPClassUID"))
        return sop_class != MediaStorageDirectoryStorage
    except OSError:
        return False  # a broken link, or taken away meanwhile
    except HOSTILE:
        return True  # the inbox sets it apart with the reason
