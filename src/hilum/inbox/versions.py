"""Other versions of received images: those with corrected patient data, and those they replaced.

They stand below the data folder in `versions/<study>/<identity>/`: a study's name is a hash, an
identity its key (`hilum.dicom.identity`), an image's name that of its file in the inbox. What was
sent with other patient data waits there until somebody takes it, and what it replaces is kept.
"""

import contextlib
import os
import shutil
from pathlib import Path

from hilum.inbox import digest, sync_folder, write_durably


class Versions:
    """The versions of the studies below the data folder `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root / "versions"

    def keep(self, file: Path, study_uid: str, identity: str, name: str) -> None:
        """Put `file` with the images of an identity, called `name`; it leaves its place."""
        folder = self._folder(study_uid, identity)
        folder.mkdir(parents=True, exist_ok=True)
        file.replace(folder / name)
        sync_folder(folder)

    def add(self, content: bytes, study_uid: str, identity: str, name: str) -> None:
        """Put a file with this `content` with the images of an identity, called `name`."""
        folder = self._folder(study_uid, identity)
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(folder / name, content)

    def of(self, study_uid: str, identity: str) -> list[Path]:
        """The images of a study that wait, or are kept, under one identity."""
        return sorted(self._folder(study_uid, identity).glob("*.dcm"))

    def all_of(self, study_uid: str) -> list[Path]:
        """The images of a study under any identity."""
        return sorted((self._root / digest(study_uid)).glob("*/*.dcm"))

    def take(self, image: Path, present: Path, study_uid: str, former: str) -> None:
        """Put `image` in the place of the `present` one, which is kept under identity `former`.

        Killed at any moment, one version or the other is there, and it can be called again.
        """
        if present.exists():
            kept = self._folder(study_uid, former)
            if kept == image.parent:  # something else of the patient was corrected, such as the sex
                kept = kept.with_name(f"{former}.former")
            kept.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.link(present, kept / image.name)
            sync_folder(kept)
        image.replace(present)
        sync_folder(present.parent)

    def remove(self, study_uid: str) -> None:
        """Delete every other version of a study."""
        shutil.rmtree(self._root / digest(study_uid), ignore_errors=True)

    def _folder(self, study_uid: str, identity: str) -> Path:
        return self._root / digest(study_uid) / identity
