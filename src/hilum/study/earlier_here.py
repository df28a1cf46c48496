"""The earlier exams of a patient that are here, for modules that ask for them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from hilum.config.site import Rule
from hilum.dicom.header import text_of
from hilum.dicom.identity import Patient, label_of, of_patient
from hilum.dicom.instance import Instance
from hilum.dicom.own import OwnResults
from hilum.dicom.parts import Part
from hilum.dicom.study import Study
from hilum.errors import UnreadableError
from hilum.inbox import Inbox
from hilum.module import AnyNeed, EarlierExams, FindingsOf, earlier_among, exam_name
from hilum.records import Records
from hilum.records.models.workitems import Workitem
from hilum.records.states import WITHOUT_RESULT, EventKind
from hilum.study.assembly import RuleDecision, Run, Wait
from hilum.study.earlier import (
    ChosenEarlier,
    Moment,
    exam_of,
    exams_before,
    is_before,
    lack_of,
    moment_of,
)
from hilum.study.given_exam import EarlierExam
from hilum.study.routing import Selection

MOST_READ = 10  # earlier studies of a patient, and of a Patient ID, whose headers are read
KEPT = 4  # of these, which are kept in memory for the next question
KEPT_FIRSTS = 1000  # studies of which is kept when and of whom they were made

Exams = Mapping[str, tuple[EarlierExam, ...]]  # by the name of the input


class _First(NamedTuple):
    """What the first image of a study says of it."""

    moment: Moment | None
    patient: Patient


class EarlierHere:
    """Which runs are given which earlier exams; `needs` are those of each module by name."""

    def __init__(
        self,
        records: Records,
        inbox: Inbox,
        own: OwnResults,
        needs: Mapping[str, Mapping[str, AnyNeed]],
    ) -> None:
        self._records = records
        self._inbox = inbox
        self._own = own
        self._needs = needs
        self._since: dict[tuple[str, str], float] = {}  # since when a study waits for a rule
        self._read = lru_cache(KEPT)(self._study)
        self._first_in = lru_cache(KEPT_FIRSTS)(_first_in)

    def exams_for(self, rule: Rule, selection: Selection) -> dict[str, tuple[EarlierExam, ...]]:
        """What a run of `rule` on `selection` is to be given, by the name of the input."""
        found = {
            name: self._chosen(rule, selection, need).exams
            for name, need in self._wanted(rule.module).items()
        }
        return {n: tuple(exam_of(one) for one in of) for n, of in found.items() if of}

    def told(self, rule: Rule, selection: Selection) -> Iterator[tuple[EventKind, str]]:
        """For the trace: what each input for earlier exams is given, and why no more."""
        for name, need in self._wanted(rule.module).items():
            chosen = self._chosen(rule, selection, need)
            said = [str(exam_of(one)) for one in chosen.exams] or ["no earlier exam"]
            yield EventKind.PRIORS, "; ".join((f"{name}: {', '.join(said)}", *chosen.remarks))

    def is_coming(self, rule: Rule, selection: Selection) -> bool:
        """Whether an exam that could be given is being received just now."""
        wanted = self._wanted(rule.module).values()
        before = (
            uid
            for need in wanted
            if need.on in selection.chosen
            for uid in self._uids(selection, need)
        )
        return not all(map(self._is_settled, before))

    def lack(self, module: str, given: Exams) -> str:
        """Why `module` cannot run with no more than what is `given`; "" if it can."""
        lack = lack_of(self._wanted(module), given)
        return f"{lack}: fetch one with `hilum fetch`, then `hilum retry`" if lack else ""

    def after(self, study_uid: str, rule: Rule, decision: RuleDecision, now: float) -> RuleDecision:
        """`decision` on a study at time `now`, or to wait for an earlier exam that is coming.

        It is waited for as long as for the images of a series, and no longer.
        """
        key = (study_uid, rule.key)
        if isinstance(decision, Run) and self.is_coming(rule, decision.selection):
            self._since[key] = min(now, self._since.get(key, now))  # the clock may be set back
            waited = now - self._since[key]
            if waited < rule.give_up_seconds:
                return Wait(1.0, "an earlier exam", waited, rule.give_up_seconds)
        self._since.pop(key, None)
        return decision

    def given(self, item: Workitem) -> dict[str, tuple[EarlierExam, ...]]:
        """What each input of `item` for earlier exams was given, () where that is nothing."""
        return {name: item.priors.get(name, ()) for name in self._wanted(item.module)}

    def stands(self, item: Workitem, exams: Exams) -> bool:
        """Whether `item` needs no new run for `exams`, which it would be given now.

        That some are no longer here is no reason to make a good result anew.
        """
        if item.priors == exams:
            return True
        is_less = all(exam in item.earlier_exams for of in exams.values() for exam in of)
        return is_less and item.state not in WITHOUT_RESULT

    def still_here(self, item: Workitem) -> dict[str, tuple[EarlierExam, ...]]:
        """Those that `item` is to be given whose images are still here and of the same patient."""
        kept = {n: tuple(e for e in of if self._is_here(e)) for n, of in item.priors.items()}
        return {name: of for name, of in kept.items() if of}

    def parts(self, item: Workitem) -> dict[str, list[Part]]:
        """The files of each exam that `item` is given, by the name of the input and its number."""
        return {
            exam_name(name, number): list(self._parts(exam))
            for name, exams in item.priors.items()
            for number, exam in enumerate(exams)
        }

    def labels(self, item: Workitem) -> Iterator[tuple[str, dict[str, str]]]:
        """Of each exam its study, and what its images are called, by the names of their files."""
        for exam in item.earlier_exams:
            images = map(Instance.read, {part.path for part in self._parts(exam)})
            yield exam.study_uid, {image.path.name: image.label for image in images}

    def _wanted(self, module: str) -> dict[str, EarlierExams]:
        return earlier_among(self._needs.get(module, {}))

    def _chosen(self, rule: Rule, selection: Selection, need: EarlierExams) -> ChosenEarlier:
        on = self._needs[rule.module][need.on]
        chosen = selection.chosen.get(need.on)
        if not chosen or isinstance(on, FindingsOf | EarlierExams):
            return ChosenEarlier()
        uids = self._uids(selection, need)
        studies = filter(None, (self._settled_study(uid) for uid in uids))
        return exams_before(chosen, studies, need.on, on, rule, need.most)

    def _uids(self, selection: Selection, need: EarlierExams) -> list[str]:
        """The earlier studies under the patient's ID that are looked at, the latest first.

        They are the latest ones, and the latest ones of the same issuer: another hospital's patient
        of this ID may have had many since.
        """
        image = selection.chosen[need.on][0].instances[0]
        now, patient_id = moment_of(image), text_of(image.header, "PatientID")
        studies = self._records.identifiers.studies_of(patient_id) if patient_id else ()
        firsts = {uid: self._first(uid) for uid in studies if uid != image.study_uid}
        of = {uid: one for uid, one in firsts.items() if one and is_before(one.moment, now)}
        before = sorted(of, key=lambda uid: (of[uid].moment, uid), reverse=True)
        same = [uid for uid in before if not image.patient.filed_apart(of[uid].patient)]
        read = {*before[:MOST_READ], *same[:MOST_READ]}
        return [uid for uid in before if uid in read]

    def _first(self, study_uid: str) -> _First | None:
        """What one image of a study says of it, None if there is none that can be read."""
        folder = self._inbox.study_folder(study_uid)
        first = next(iter(folder.glob("*.dcm")), None)
        try:
            return self._first_in(first, first.stat().st_mtime_ns) if first else None
        except (UnreadableError, OSError):
            return None

    def _is_settled(self, study_uid: str) -> bool:
        """Whether the rules have decided on all images of a study, as far as they can."""
        study = self._records.studies.get(study_uid)
        files = sum(1 for _ in self._inbox.study_folder(study_uid).glob("*.dcm"))
        return study is not None and study.decided_images >= files

    def _settled_study(self, study_uid: str) -> Study | None:
        """A study on which nobody has to decide yet."""
        if not self._is_settled(study_uid) or self._records.corrections.is_open(study_uid):
            return None
        decision = self._records.corrections.decision(study_uid)
        folder = self._inbox.study_folder(study_uid)
        changed = folder.stat().st_mtime_ns if folder.is_dir() else 0
        study = self._read(study_uid, decision.identity if decision else "", changed)
        labels = {image.label for image in study.instances} if study else ()
        if labels and self._records.corrections.was_called(study_uid, labels):
            return None  # a late copy, as it was before somebody corrected whose it is
        return study

    def _study(self, study_uid: str, identity: str, _changed: int) -> Study | None:
        images = []
        for file in sorted(self._inbox.study_folder(study_uid).glob("*.dcm")):
            try:
                image = Instance.read(file, self._own)
            except (UnreadableError, OSError):
                continue
            images += [] if image.is_own_result else [image]
        images = of_patient(identity, images) if identity else images
        return Study.of(images) if images else None

    def _is_here(self, exam: EarlierExam) -> bool:
        try:
            images = [Instance.read(path) for path in {p.path for p in self._parts(exam)}]
        except FileNotFoundError:
            return False
        return label_of(images) == exam.label

    def _parts(self, exam: EarlierExam) -> Iterator[Part]:
        folder = self._inbox.study_folder(exam.study_uid)
        for of_series in exam.images:
            for image in of_series.images:
                named = Part.parse(image, folder)  # by its UID
                path = self._inbox.path_of(exam.study_uid, named.path.name)
                yield replace(named, path=path)


def _first_in(file: Path, _changed: int) -> _First:
    image = Instance.read(file)
    return _First(moment_of(image), image.patient)
