"""A study: everything received so far under one Study Instance UID."""

from collections.abc import Iterable
from dataclasses import dataclass

from hilum.dicom.instance import Instance
from hilum.dicom.series import Series


@dataclass(frozen=True)
class Study:
    """All series received so far under one Study Instance UID."""

    uid: str
    series: tuple[Series, ...]

    @classmethod
    def of(cls, instances: Iterable[Instance]) -> "Study":
        """Group `instances` (all of one study) into series, in order of their UIDs."""
        groups: dict[str, list[Instance]] = {}
        for instance in instances:
            groups.setdefault(instance.series_uid, []).append(instance)
        series = tuple(Series.of(groups[uid]) for uid in sorted(groups))
        return cls(series[0].study_uid, series)

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The images of all series."""
        return tuple(instance for series in self.series for instance in series.instances)
