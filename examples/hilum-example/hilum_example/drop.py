"""A source: a folder that a scanner or another program writes DICOM files to."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from hilum.config.kinds import SourceSettings
from hilum.dicom.instance import Instance
from hilum.errors import DicomError, SourceDelayed, SourceError
from hilum.sources import Holdings, Listed, Portion


class DropSettings(SourceSettings):
    """Such a folder."""

    kind: Literal["drop"] = Field("drop", description="A folder that DICOM files are put into.")
    folder: Path = Field(description="Where the files are put.", examples=["drop"])


class _File(NamedTuple):
    changed: int  # when it came or was last written, in ns since 1970
    listed: Listed | None  # None for what is no image that is wanted


class DropSource:
    """Its cursor is JSON: files that changed after `first` are wanted, those before `seen` listed.

    Both are times of files, never of our own clock: that of a file server, and even that of the
    kernel's own files, is some milliseconds off. Several files may have the same time.
    """

    settings = DropSettings
    lively_pause = 0.5

    def __init__(self, settings: DropSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._known: dict[Path, _File] = {}
        self._first = self._seen = 0

    def describe(self) -> str:
        return f"a folder with {len(self._paths())} files"

    def resume(self, cursor: str, holdings: Holdings) -> str:
        self._holdings = holdings
        if cursor:
            values = json.loads(cursor)
            self._first, self._seen = values["first"], values["seen"]
        elif self._settings.since == "start":
            self._first = self._seen = max((file.changed for file in self._files()), default=0)
        return self._cursor()

    def news(self) -> Iterator[Portion]:
        listed = set(self._known.values())
        new = [f for f in self._files() if f.changed >= self._seen and f not in listed]
        if new:
            self._seen = max(file.changed for file in new)
            yield self._portion(new)

    def sweep(self) -> Iterator[Portion]:
        yield self._portion(file for file in self._files() if file.changed > self._first)

    def fetch(self, instance: Listed, largest: int) -> bytes | None:
        try:
            with Path(instance.key).open("rb") as file:
                content = file.read(largest + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceDelayed(f"{self.name}: a file cannot be read: {error.strerror}") from error
        if len(content) > largest:
            raise SourceError(f"{self.name}: a file is too large for receiver.memory_mb")
        return content

    def close(self) -> None:
        self._known.clear()

    def _paths(self) -> list[Path]:
        folder = self._settings.folder
        if not folder.is_dir():
            raise SourceDelayed(f"{self.name}: {folder} is not there: make or mount that folder")
        return sorted(path for path in folder.rglob("*") if path.is_file())

    def _files(self) -> list[_File]:
        """What lies in the folder; a file is read again only after it has changed."""
        before, self._known = self._known, {}
        for path in self._paths():
            try:
                changed = path.stat().st_ctime_ns
            except FileNotFoundError:
                continue  # taken away meanwhile
            known = before.get(path)
            is_same = known is not None and known.changed == changed
            self._known[path] = known if known and is_same else _File(changed, self._look_at(path))
        return list(self._known.values())

    def _look_at(self, path: Path) -> Listed | None:
        try:
            image = Instance.read(path)
            size = path.stat().st_size
        except (DicomError, OSError):
            return None  # not DICOM, or not written to its end: then it changes once more
        modalities = self._settings.modalities
        if modalities and image.header.get("Modality") not in modalities:
            return None
        return Listed(str(path), image.study_uid, image.series_uid, image.sop_instance_uid, size)

    def _portion(self, files: Iterable[_File]) -> Portion:
        missing = [
            file.listed for file in files if file.listed and not self._holdings.holds(file.listed)
        ]
        there = (file.listed for file in self._known.values() if file.listed)
        counts = Counter((listed.study_uid, listed.series_uid) for listed in there)
        series = {(listed.study_uid, listed.series_uid) for listed in missing}
        return Portion(tuple(missing), self._cursor(), {key: counts[key] for key in series})

    def _cursor(self) -> str:
        return json.dumps({"first": self._first, "seen": self._seen})
