"""Watch an Orthanc by its REST API: the feed of changes, and a sweep of its studies.

Nothing is installed in Orthanc and nothing in it is changed. Its own "stable" events are not used:
they come a minute late, and not at all if it is restarted in between.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from pydantic import Field

from hilum.config.ends import WebService
from hilum.config.kinds import SourceSettings
from hilum.errors import SourceRefused
from hilum.searching import StudySearch
from hilum.sources import Holdings, Listed, Portion
from hilum.sources.http import ArchiveClient
from hilum.wording import counted

PAGE = 200  # changes or studies in one answer
OVERLAP = 10  # studies that two pages share, so that a deletion in between hides none
ROUNDING = timedelta(seconds=5)  # Orthanc writes times in whole seconds
TIME_FORM = "%Y%m%dT%H%M%S"  # UTC
LONGEST_CACHE = 4096  # series


class _Series(NamedTuple):
    key: str  # what Orthanc calls it
    study_uid: str
    series_uid: str
    modality: str


class OrthancSourceSettings(SourceSettings, WebService):
    """An Orthanc, watched by its REST API."""

    kind: Literal["orthanc"] = Field("orthanc", description="The REST API of an Orthanc.")
    poll_seconds: float = Field(0.25, gt=0, description="Seconds between two polls.")


class OrthancSource:
    """An Orthanc server. Its cursor is JSON.

    `seq` is the last change dealt with; what was updated before `swept` (UTC by Orthanc's clock) is
    known to be here; `first` is the value `swept` began with.
    """

    settings = OrthancSourceSettings
    lively_pause = 0.25

    def __init__(self, settings: OrthancSourceSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._archive = ArchiveClient(settings)
        self._series: dict[str, _Series] = {}
        self._takes_many = True
        self._seq = 0
        self._first = self._swept = ""

    def describe(self) -> str:
        system = self._archive.json("system")
        holds = self._archive.json("statistics")
        return (
            f"Orthanc {system['Version']}, {counted(holds['CountStudies'], 'study')}, "
            f"{counted(holds['CountInstances'], 'instance')}"
        )

    def resume(self, cursor: str, holdings: Holdings) -> str:
        self._archive.close()
        self._holdings = holdings
        if cursor:
            values = json.loads(cursor)
            self._seq, self._first = values["seq"], values["first"]
            self._swept = values["swept"]
        elif self._settings.since == "start":
            self._first = self._swept = self._now().strftime(TIME_FORM)
            self._seq = self._archive.json("changes", last="")["Last"]
        return self._cursor()

    def news(self) -> Iterator[Portion]:
        end = 0
        while True:
            page = self._archive.json("changes", since=self._seq, limit=PAGE)
            changes = page["Changes"]
            if not changes:
                if page["Last"] < self._seq:
                    yield self._begin_anew(page["Last"])
                return
            if not page["Done"]:
                end = end or self._archive.json("changes", last="")["Last"]
            self._seq = page["Last"]
            added = [c["ID"] for c in changes if c["ChangeType"] == "NewInstance"]
            told = self._instances(list(dict.fromkeys(added)))
            missing = [found for answer in told if (found := self._missing(answer))]
            yield self._portion(missing, behind=max(0, end - self._seq))
            if page["Done"]:
                return

    def sweep(self) -> Iterator[Portion]:
        began = self._now()
        complete = True
        offset = 0
        known: set[str] = set()
        while studies := self._archive.json("studies", since=offset, limit=PAGE, expand=""):
            keys = [study["ID"] for study in studies]
            complete = complete and (not known or not known.isdisjoint(keys))
            for study in filter(self._is_recent, studies):
                for key in study["Series"]:
                    if missing := self._missing_of_series(key):
                        complete = False
                        yield self._portion(missing)
            if len(studies) < PAGE:
                break
            yield self._portion([])
            known = set(keys[-OVERLAP:])
            offset += PAGE - OVERLAP
        if complete:
            self._swept = max(self._swept, (began - ROUNDING).strftime(TIME_FORM))
            yield self._portion([])

    def fetch(self, instance: Listed, largest: int) -> bytes | None:
        answer = self._archive.file(f"instances/{instance.key}/file", largest)
        return answer.content if answer else None

    def search(self, wanted: StudySearch) -> list[str]:
        return [
            str(study["MainDicomTags"]["StudyInstanceUID"])
            for keyword, value in wanted.keys
            for study in self._found("Study", keyword, value)
        ]

    def listed(self, study_uid: str) -> list[Listed]:
        series = self._found("Series", "StudyInstanceUID", study_uid)
        named = [(one["ID"], one["MainDicomTags"]["SeriesInstanceUID"]) for one in series]
        return [
            _listed(instance, _Series(key, study_uid, series_uid, ""))
            for key, series_uid in named
            for instance in self._archive.json(f"series/{key}/instances")
        ]

    def _found(self, level: str, keyword: str, value: str) -> list[dict[str, Any]]:
        """What has this value; it stands in the body of the request, so nobody logs it."""
        question = {"Level": level, "Expand": True, "Query": {keyword: value}}
        answer = self._archive.json_to("tools/find", {**question, "CaseSensitive": True})
        if answer is None:
            raise SourceRefused(f"{self.name}: it does not let us use tools/find: allow it")
        return list(answer)

    def close(self) -> None:
        self._archive.close()

    def _begin_anew(self, last: int) -> Portion:
        """Begin anew: the feed ends before our cursor, so Orthanc was emptied or replaced."""
        self._seq = last
        self._swept = self._first
        self._series.clear()
        return Portion((), self._cursor(), broken="its feed of changes has begun anew")

    def _instances(self, keys: Sequence[str]) -> Iterable[dict[str, Any]]:
        """What Orthanc says of those of its instances `keys` that are not deleted.

        In one request: while a scanner sends, each one takes Orthanc's time from the scanner.
        """
        if not keys:
            return ()
        if self._takes_many:
            question = {"Resources": keys, "Level": "Instance", "Metadata": False}
            answers = self._archive.json_to("tools/bulk-content", question)
            if answers is not None:
                return [answer for answer in answers if answer]
            self._takes_many = False  # before version 1.9.4, or only GET is allowed
        each = (self._archive.json_if_any(f"instances/{key}") for key in keys)
        return [answer for answer in each if answer]

    def _missing(self, answer: dict[str, Any]) -> tuple[_Series, Listed] | None:
        """The instance Orthanc tells of, unless it is not wanted or here already."""
        series = self._wanted(answer["ParentSeries"])
        if not series:
            return None
        instance = _listed(answer, series)
        if self._holdings.holds(instance) and not self._was_replaced(instance):
            return None
        return series, instance

    def _was_replaced(self, instance: Listed) -> bool:
        """Whether Orthanc's file is not the one it gave us: it was sent again, with other content.

        An archive that routes to us as well routes the second version, too.
        """
        ours = self._holdings.md5(instance)
        if ours is None or self._settings.wait_seconds:
            return False
        theirs = self._archive.text_if_any(f"instances/{instance.key}/attachments/dicom/md5")
        return theirs is not None and theirs != ours

    def _missing_of_series(self, key: str) -> list[tuple[_Series, Listed]]:
        series = self._wanted(key)
        if not series or not self._is_recent(self._archive.json_if_any(f"series/{key}") or {}):
            return []
        answers = self._archive.json_if_any(f"series/{key}/instances") or []
        listed = (_listed(answer, series) for answer in answers)
        return [(series, instance) for instance in listed if not self._holdings.holds(instance)]

    def _is_recent(self, resource: dict[str, Any]) -> bool:
        return str(resource.get("LastUpdate", self._swept)) >= self._swept

    def _wanted(self, key: str) -> _Series | None:
        """The series Orthanc calls `key`, unless it is deleted or of a modality not wanted."""
        if key not in self._series:
            series = self._archive.json_if_any(f"series/{key}")
            study = series and self._archive.json_if_any(f"studies/{series['ParentStudy']}")
            if not study:
                return None
            if len(self._series) >= LONGEST_CACHE:
                self._series.clear()
            tags = series["MainDicomTags"]
            self._series[key] = _Series(
                key,
                study["MainDicomTags"]["StudyInstanceUID"],
                tags["SeriesInstanceUID"],
                tags.get("Modality", ""),
            )
        series = self._series[key]
        modalities = self._settings.modalities
        return series if not modalities or series.modality in modalities else None

    def _portion(self, missing: Sequence[tuple[_Series, Listed]], behind: int = 0) -> Portion:
        counts: Counter[tuple[str, str]] = Counter()
        for series in {series for series, _ in missing}:
            if holds := self._archive.json_if_any(f"series/{series.key}/statistics"):
                counts[series.study_uid, series.series_uid] += holds["CountInstances"]
        instances = tuple(instance for _, instance in missing)
        return Portion(instances, self._cursor(), counts, behind)

    def _cursor(self) -> str:
        return json.dumps({"seq": self._seq, "first": self._first, "swept": self._swept})

    def _now(self) -> datetime:
        return datetime.strptime(self._archive.text("tools/now"), TIME_FORM)


def _listed(answer: dict[str, Any], series: _Series) -> Listed:
    return Listed(
        answer["ID"],
        series.study_uid,
        series.series_uid,
        answer["MainDicomTags"]["SOPInstanceUID"],
        answer["FileSize"],
    )
