"""Deliver into a folder: `<folder>/<study>/<identity>.dcm`, both names hashes of UIDs."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from hilum.answers import Acceptance, Answer, Checked, Shown
from hilum.config.fields import FileMode
from hilum.config.kinds import DestinationSettings
from hilum.errors import DeliveryDelayed
from hilum.inbox import digest, sync_folder, write_durably
from hilum.results import Result, suffix_of


class FolderDestinationSettings(DestinationSettings):
    """A folder that another program collects from, or a person looks into."""

    kind: Literal["folder"] = Field("folder", description="A folder that others collect from.")
    proof: Literal["query"] = Field(
        "query", description="What shows that a result has arrived: it is read again."
    )
    folder: Path = Field(description="Where files are written.", examples=["results"])
    mode: FileMode = Field(
        "0600",
        description="Rights of the files written there, as for chmod; folders can be entered by "
        "whoever may read.",
    )


class FolderDestination:
    """Writes into that folder, and looks what is there."""

    settings = FolderDestinationSettings
    takes = ("*",)

    def __init__(self, settings: FolderDestinationSettings) -> None:
        self.name = settings.name
        self._folder = settings.folder
        self._mode = int(settings.mode, 8)

    def is_reachable(self) -> bool:
        try:
            self._make(self._folder)
        except OSError:
            return False
        return os.access(self._folder, os.W_OK)

    def send(self, results: Sequence[Result]) -> Iterator[Answer]:
        for result in results:
            target = self._target(result)
            content = result.path.read_bytes()  # if we cannot, it is not the folder's fault
            try:
                if not target.parent.exists():
                    self._make(self._folder)
                    self._make(target.parent)
                    sync_folder(self._folder)
                write_durably(target, content, mode=self._mode)
            except OSError as error:
                raise DeliveryDelayed(
                    f"{self.name}: cannot write to {self._folder}: {error.strerror}"
                ) from error
            yield Answer(result, Acceptance.TAKEN)

    def ask(self, results: Sequence[Result]) -> Shown:
        return Shown(tuple(result for result in results if not self._holds(result)))

    def filing(self, study_uid: str) -> None:
        return None

    def check(self) -> Iterator[Checked]:
        good = self.is_reachable()
        text = "can be written" if good else f"nothing can be written to {self._folder}"
        yield Checked("folder", good, text)

    def _make(self, folder: Path) -> None:
        """Make `folder` unless it is there; whoever may read a file may enter it."""
        if folder.exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o100 | self._mode | (self._mode & 0o444) >> 2)

    def _holds(self, result: Result) -> bool:
        target = self._target(result)
        return target.exists() and target.read_bytes() == result.path.read_bytes()

    def _target(self, result: Result) -> Path:
        name = f"{digest(result.identity)}{suffix_of(result.media_type)}"
        return self._folder / digest(result.study_uid) / name
