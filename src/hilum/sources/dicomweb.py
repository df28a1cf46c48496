"""Watch any archive by QIDO-RS (PS3.18 10.6); fetch by WADO-RS (PS3.18 10.4).

DICOMweb has no feed of changes. Studies of the last days are listed at every poll with the number
of their instances; those whose number has changed are compared with what is here. Where the archive
does not state that number, the instances themselves are listed each time.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any, Literal

from pydantic import Field

from hilum.config.ends import DicomwebService
from hilum.config.fields import WebAddress
from hilum.config.kinds import SourceSettings
from hilum.dicom.uids import is_uid
from hilum.errors import SourceDelayed
from hilum.searching import StudySearch
from hilum.sources import Holdings, Listed, Portion
from hilum.sources.http import ArchiveClient

PAGE = 100
ORIGINAL = 'multipart/related; type="application/dicom"; transfer-syntax=*'
BOUNDARY = re.compile(r'boundary="?([^";]+)', re.IGNORECASE)
STUDY_UID, SERIES_UID, INSTANCE_UID = "0020000D", "0020000E", "00080018"
MODALITY, MODALITIES_IN_STUDY = "00080060", "00080061"
STUDY_INSTANCES = "00201208"  # Number of Study Related Instances; some archives leave it out

Attributes = dict[str, Any]  # the DICOM JSON model, PS3.18 F.2


class DicomwebSourceSettings(SourceSettings, DicomwebService):
    """An archive with a DICOMweb service, watched by asking again and again."""

    kind: Literal["dicomweb"] = Field(
        "dicomweb", description="An archive with DICOMweb: QIDO-RS and WADO-RS."
    )
    url: WebAddress = Field(
        description="DICOMweb root, such as http://pacs:8042/dicom-web.",
        examples=["http://127.0.0.1:8042/dicom-web"],
    )
    days: int = Field(
        1, ge=0, description="How many days ago the StudyDate of new studies may lie."
    )


class DicomwebSource:
    """An archive with a DICOMweb service.

    Its cursor is JSON: `known`, the studies there were at the first use, with the number of their
    instances; with `since = "beginning"` there are none.
    """

    settings = DicomwebSourceSettings
    lively_pause = 1.0

    def __init__(self, settings: DicomwebSourceSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._archive = ArchiveClient(settings)
        self._known: dict[str, int] = {}
        self._here: dict[str, int] = {}  # studies all of which is here, at this number of instances

    def describe(self) -> str:
        self._archive.json("studies", limit=1)
        return "answers QIDO-RS"

    def resume(self, cursor: str, holdings: Holdings) -> str:
        self._archive.close()
        self._holdings = holdings
        if cursor:
            self._known = json.loads(cursor)["known"]
        elif self._settings.since == "start":
            for studies in self._pages("studies", STUDY_UID, **self._window()):
                self._known |= {_text(s, STUDY_UID): self._count(s) for s in studies}
        return self._cursor()

    def news(self) -> Iterator[Portion]:
        for studies in self._pages("studies", STUDY_UID, **self._window()):
            for study in studies:
                yield from self._changed(study)

    def sweep(self) -> Iterator[Portion]:
        if self._settings.since == "start":
            return  # every poll compares all there is to compare
        for studies in self._pages("studies", STUDY_UID):
            for study in studies:
                yield from self._changed(study)
            yield Portion((), self._cursor())

    def fetch(self, instance: Listed, largest: int) -> bytes | None:
        answer = self._archive.file(instance.key, largest, ORIGINAL)
        return part_of(answer.content, answer.media_type) if answer else None

    def listed(self, study_uid: str) -> list[Listed]:
        series = self._series(study_uid)
        return [one for uid, _ in series for one in self._of_series(study_uid, uid)]

    def search(self, wanted: StudySearch) -> list[str]:
        return self._archive.studies(wanted, self._settings.query_identifiers)

    def close(self) -> None:
        self._archive.close()

    def _window(self) -> dict[str, str]:
        """The query for the days in which new studies appear; tomorrow, as clocks differ."""
        today = date.today()
        first, last = today - timedelta(self._settings.days), today + timedelta(1)
        return {"StudyDate": f"{first:%Y%m%d}-{last:%Y%m%d}"}

    def _changed(self, study: Attributes) -> Iterator[Portion]:
        """What is missing of `study`, unless it is as it was when all of it was here."""
        uid, count = _text(study, STUDY_UID), _number(study, STUDY_INSTANCES)
        if not self._may_be_wanted(study):
            return
        if count is not None and count in (self._known.get(uid), self._here.get(uid)):
            return
        listed = self._instances(uid)
        if count is None and len(listed) == self._known.get(uid):
            return
        if missing := [instance for instance in listed if not self._holdings.holds(instance)]:
            yield Portion(tuple(missing), self._cursor(), _counts(listed, missing))
        elif count is not None:
            self._here[uid] = count

    def _count(self, study: Attributes) -> int:
        """The number of instances of `study` as the archive states it, or as it lists them."""
        count = _number(study, STUDY_INSTANCES)
        return len(self._instances(_text(study, STUDY_UID))) if count is None else count

    def _instances(self, study_uid: str) -> list[Listed]:
        """The instances of a study, of the modalities that are wanted."""
        return [
            instance
            for series, modality in self._series(study_uid)
            if self._is_wanted(modality)
            for instance in self._of_series(study_uid, series)
        ]

    def _of_series(self, study_uid: str, series: str) -> Iterator[Listed]:
        path = f"studies/{study_uid}/series/{series}/instances"
        for page in self._pages(path, INSTANCE_UID):
            for uid in (_text(attributes, INSTANCE_UID) for attributes in page):
                yield Listed(f"{path}/{uid}", study_uid, series, uid)

    def _series(self, study_uid: str) -> list[tuple[str, str]]:
        """The Series Instance UIDs of a study, with their modalities."""
        pages = self._pages(f"studies/{study_uid}/series", SERIES_UID)
        series = [attributes for page in pages for attributes in page]
        return [(_text(one, SERIES_UID), _text(one, MODALITY)) for one in series]

    def _may_be_wanted(self, study: Attributes) -> bool:
        modalities = study.get(MODALITIES_IN_STUDY, {}).get("Value")
        return not modalities or any(map(self._is_wanted, modalities))

    def _is_wanted(self, modality: str) -> bool:
        return not self._settings.modalities or modality in self._settings.modalities

    def _pages(self, path: str, key: str, **query: str) -> Iterator[list[Attributes]]:
        """The matches of a query, page by page; those without a valid UID in `key` are left out.

        An archive may give fewer matches than asked for (PS3.18 8.3.4.4), or ignore `offset`: the
        end is where nothing comes, or the same as before.
        """
        offset = 0
        before: set[str] = set()
        while found := self._archive.json_if_any(path, limit=PAGE, offset=offset, **query):
            offset += len(found)
            uids = {_text(attributes, key) for attributes in found}
            if uids <= before:
                return
            yield [a for a in found if is_uid(_text(a, key))]
            before = uids

    def _cursor(self) -> str:
        return json.dumps({"known": self._known})


def part_of(body: bytes, content_type: str) -> bytes:
    """The one part of a multipart answer (RFC 2046 5.1), or all of a plain one.

    Raises
    ------
    SourceDelayed
        The answer was cut short.
    """
    if not content_type.lower().startswith("multipart/"):
        return body
    boundary = BOUNDARY.search(content_type)
    delimiter = b"--" + boundary[1].encode() if boundary else b"--"
    start = body.find(b"\r\n\r\n", body.find(delimiter))
    end = body.find(b"\r\n" + delimiter, start)
    if start < 0 or end < 0:
        raise SourceDelayed("the archive's answer was cut short")
    return body[start + 4 : end]


def _counts(listed: Iterable[Listed], missing: Iterable[Listed]) -> dict[tuple[str, str], int]:
    """How many images are `listed` of each series that lacks some, by study and series."""
    images = Counter((i.study_uid, i.series_uid) for i in listed)
    return {(i.study_uid, i.series_uid): images[i.study_uid, i.series_uid] for i in missing}


def _text(attributes: Attributes, tag: str) -> str:
    values = attributes.get(tag, {}).get("Value") or [""]
    return str(values[0])


def _number(attributes: Attributes, tag: str) -> int | None:
    text = _text(attributes, tag)
    return int(text) if text.isdigit() else None
