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

    def answers(self) -> bool:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        return os.access(self._folder, os.W_OK)

    def send(self, files: Sequence[Path]) -> None:
        for path in files:
            target = self._target(Instance.read(path))
            try:
                if not target.parent.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    sync_folder(self._folder)
                write_durably(target, path.read_bytes())
            except OSError as error:
                raise DeliveryDelayed(
                    f"{self.name}: cannot write to {self._folder}: {error.strerror}"
                ) from error

    def missing(self, files: Sequence[Path]) -> list[Path]:
        return [path for path in files if not self._holds(path)]

    def _holds(self, path: Path) -> bool:
        target = self._target(Instance.read(path))
        return target.exists() and target.read_bytes() == path.read_bytes()

    def _target(self, instance: Instance) -> Path:
        return (
            self._folder / digest(instance.study_uid) / f"{digest(instance.sop_instance_uid)}.dcm"
        )
