"""Deliver into a folder: `<folder>/<study>/<instance>.dcm`, both names hashes of UIDs."""

import os
from collections.abc import Sequence
from pathlib import Path

from hilum.config.site import Destination
from hilum.dicom.instance import Instance
from hilum.errors import ConfigurationError, DeliveryDelayed
from hilum.inbox import digest, sync_folder, write_durably


class FolderDestination:
    """A folder that another program collects from, or a person looks into."""

    def __init__(self, settings: Destination) -> None:
        if settings.folder is None:
            raise ConfigurationError(f"destination {settings.name}: kind folder needs `folder`")
        self.name = settings.name
        self._folder = settings.folder
        self._mode = int(settings.mode, 8)

    def answers(self) -> bool:
        try:
            self._make(self._folder)
        except OSError:
            return False
        return os.access(self._folder, os.W_OK)

    def send(self, files: Sequence[Path]) -> None:
        for path in files:
            target = self._target(Instance.read(path))
            try:
                if not target.parent.exists():
                    self._make(self._folder)
                    self._make(target.parent)
                    sync_folder(self._folder)
                write_durably(target, path.read_bytes(), mode=self._mode)
            except OSError as error:
                raise DeliveryDelayed(
                    f"{self.name}: cannot write to {self._folder}: {error.strerror}"
                ) from error

    def missing(self, files: Sequence[Path]) -> list[Path]:
        return [path for path in files if not self._holds(path)]

    def _make(self, folder: Path) -> None:
        """Make `folder` unless it is there; whoever may read a file may enter it."""
        if folder.exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o100 | self._mode | (self._mode & 0o444) >> 2)

    def _holds(self, path: Path) -> bool:
        target = self._target(Instance.read(path))
        return target.exists() and target.read_bytes() == path.read_bytes()

    def _target(self, instance: Instance) -> Path:
        return (
            self._folder / digest(instance.study_uid) / f"{digest(instance.sop_instance_uid)}.dcm"
        )
