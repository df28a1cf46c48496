"""What has arrived of one study, and what is known of images to come (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hilum.dicom.identity import judge, of_patient
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.wording import counted


@dataclass
class Arrival:
    """What has arrived of one study, kept by the gateway while images come in; times in s."""

    study_uid: str
    instances: dict[str, Instance] = field(default_factory=dict)
    last_of_series: dict[str, float] = field(default_factory=dict)
    longest_pause: float = 0.0
    last: float = 0.0
    last_series: str = ""
    associations: set[str] = field(default_factory=set)
    association_of: dict[str, str] = field(default_factory=dict)  # by Series Instance UID
    ended: set[str] = field(default_factory=set)  # associations the sender released
    broken_off: set[str] = field(default_factory=set)  # series whose association was lost
    short: dict[str, str] = field(default_factory=dict)  # what series lacked that were held for it
    changed: bool = True
    last_review: float = 0.0
    next_review: float = 0.0
    review_seconds: float = 0.0  # what the last look at it cost
    expected: dict[str, int] = field(default_factory=dict)  # images, as they themselves state it
    counted: dict[str, int] = field(default_factory=dict)  # images the archive has, as it says
    put_right: set[str] = field(default_factory=set)  # what was, in files of this study
    removed: set[str] = field(default_factory=set)  # names of images that a rule has removed
    _built: dict[str, Series] = field(default_factory=dict)  # as they were at the last look
    decided: str = ""  # key of the identity whose images a person has chosen
    identified: frozenset[str] = frozenset()  # series by which the study can be found already
    reason: str = ""  # what it waits for, or why no rule applies, as at the last look
    patience: float = 0.0  # s of silence that it waits for; 0 where it waits for none

    def add(self, instance: Instance, at: float, association: str = "", late: bool = False) -> None:
        """Take in one image at time `at`; own results that come back do not count as news.

        `late`: the pause before it was ours, not the sender's, and says nothing about its pace. Nor
        does the one after a lost association.
        """
        self.instances[instance.sop_instance_uid] = instance
        self.removed.discard(instance.path.name)
        if instance.is_own_result:
            return
        self.changed = True
        if announced := instance.announced_images:
            self.expected[instance.series_uid] = announced
        tries_again = instance.series_uid in self.broken_off
        if self.last_series == instance.series_uid and not (late or tries_again):
            self.longest_pause = max(self.longest_pause, at - self.last)
        self.last = max(self.last, at)
        self.last_series = instance.series_uid
        self.last_of_series[instance.series_uid] = at
        self.broken_off.discard(instance.series_uid)
        self.short.pop(instance.series_uid, None)
        self.association_of[instance.series_uid] = association
        if association:
            self.associations.add(association)

    def meet_clock(self, now: float) -> None:
        """Count what is stamped later than `now` as of now.

        The clock was set back, or that of another machine is ahead: silence would be waited for
        until ours has come so far.
        """
        if max(self.last, self.last_review) <= now:
            return
        self.changed = self.changed or self.last_review > now
        self.last_review = min(self.last_review, now)
        self.last = min(self.last, now)
        for uid, at in self.last_of_series.items():
            self.last_of_series[uid] = min(at, now)

    def count(self, series_uid: str, images: int) -> None:
        """Note how many images of `series_uid` the archive has; the number may change."""
        self.counted[series_uid] = images
        self.changed = True

    def images_of(self, series_uid: str) -> int:
        """How many images of the series are here, of whatever volume."""
        return sum(i.series_uid == series_uid for i in self.instances.values())

    def images_left_out(self, series_uid: str) -> int:
        """How many of those are of a patient whom a person has decided against."""
        if not self.decided:
            return 0
        counting = of_patient(self.decided, self.instances.values())
        return self.images_of(series_uid) - sum(i.series_uid == series_uid for i in counting)

    def images_to_come(self, series_uid: str) -> int | None:
        """How many images the series should have, as far as anything states it."""
        known = (
            self.expected.get(series_uid),
            self.counted.get(series_uid),
            self._concatenated(series_uid),
        )
        return max((number for number in known if number is not None), default=None)

    def _concatenated(self, series_uid: str) -> int | None:
        """How many images it has when every object that was sent in several parts is whole."""
        parts: dict[str, int] = {}
        others = 0
        for instance in self.instances.values():
            if instance.series_uid == series_uid:
                uid, total = instance.concatenation
                others += not uid
                parts |= {uid: total} if uid else {}
        return others + sum(parts.values()) if parts else None

    def released(self, association: str) -> None:
        """Note that the sender has closed `association`: it had no more to send."""
        self.associations.discard(association)
        self.ended.add(association)
        self.changed = True

    def aborted(self, association: str) -> None:
        """Note that `association` was lost: its series is not complete, whatever it looks like."""
        self.associations.discard(association)
        if self.association_of.get(self.last_series) == association:
            self.broken_off.add(self.last_series)
        self.changed = True

    @property
    def images(self) -> int:
        """Images received so far, own results not counted, those removed since included."""
        here = sum(not instance.is_own_result for instance in self.instances.values())
        return here + len(self.removed)

    def study(self) -> Study:
        """Everything received so far, of the patient whom a person named if one was asked.

        A series to which nothing came is not built again.
        """
        images: Iterable[Instance] = self.instances.values()
        groups: dict[str, list[Instance]] = {}
        for instance in of_patient(self.decided, images) if self.decided else images:
            groups.setdefault(instance.series_uid, []).append(instance)
        before = self._built
        self._built = {}
        for uid in sorted(groups):
            known = before.get(uid)
            same = known is not None and set(known.instances) == set(groups[uid])
            self._built[uid] = known if known and same else Series.of(groups[uid])
        return Study(self.study_uid, tuple(self._built.values()))

    def left_out(self, series_uid: str) -> str:
        """Which images of the series do not count because a person named the patient, in words."""
        if not self.decided:
            return ""
        kept, others = self._divided(series_uid)
        if not others:
            return ""
        beside = judge((i.patient for i in kept), (i.patient for i in others)).beside
        text = f"{len(others)} of {counted(len(kept) + len(others), 'image')} of this series"
        text = f"{text} name another patient ({', '.join(beside)})"
        return f"{text} and were left out, as a person decided"

    def _divided(self, series_uid: str) -> tuple[list[Instance], list[Instance]]:
        """The images of the series that count, and those that do not, as a person decided."""
        images = [i for i in self.instances.values() if not i.is_own_result]
        ours = {i.sop_instance_uid for i in of_patient(self.decided, images)}
        of_series = [i for i in images if i.series_uid == series_uid]
        kept = [i for i in of_series if i.sop_instance_uid in ours]
        return kept, [i for i in of_series if i.sop_instance_uid not in ours]

    def finished(self, series_uid: str) -> bool:
        """Whether the sender gave a sign that `series_uid` is done: released, or went on."""
        return self.last_series != series_uid or self.association_of.get(series_uid) in self.ended
