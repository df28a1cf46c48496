"""The patient's earlier exams that a module is given: chosen as the images of its study are (pure).

Earlier is what has an earlier Study Date, or on one day an earlier Study Time; when it came here
does not count.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from hilum.config.site import Rule
from hilum.dicom.dates import day_of
from hilum.dicom.header import text_of
from hilum.dicom.identity import disagreement, label_of
from hilum.dicom.instance import Instance
from hilum.dicom.parts import Part, images_of, uid_of
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.module import EarlierExams, Module, Need, earlier_for, exam_name, inputs_of
from hilum.study.given_exam import EarlierExam, EarlierImages
from hilum.study.routing import select

Moment = tuple[str, str]  # Study Date (YYYYMMDD) and Study Time, "" where it is not stated
TIME = r"([0-9]{2}){1,3}(\.[0-9]{1,6})?"  # a TM value (PS3.5 6.2), also to the hour or minute only


@dataclass(frozen=True)
class ChosenEarlier:
    """The series chosen of each earlier exam, the latest first, and why others are not used."""

    exams: tuple[tuple[Series, ...], ...] = ()
    remarks: tuple[str, ...] = ()


def exam_of(chosen: Sequence[Series]) -> EarlierExam:
    """What is to be remembered of the series that were chosen of one study."""
    instances = [instance for one in chosen for instance in one.instances]
    kinds = {instance.sop_instance_uid: instance.sop_class_uid for instance in instances}
    listed = sorted(
        (one.uid, kinds[uid_of(image)], image) for one in chosen for image in images_of(one)
    )
    groups = groupby(listed, key=lambda each: each[:2])
    day = day_of(chosen[0].header.get("StudyDate"))
    return EarlierExam(
        study_uid=chosen[0].study_uid,
        day=day.isoformat() if day else "",
        description=", ".join(dict.fromkeys(one.name for one in chosen)),
        label=label_of(instances),
        images=tuple(
            EarlierImages(series, kind, tuple(image for *_, image in of))
            for (series, kind), of in groups
        ),
    )


def moment_of(image: Instance) -> Moment | None:
    """When the study of `image` was, as it says itself; None without a date."""
    day = day_of(image.header.get("StudyDate"))
    time = text_of(image.header, "StudyTime").replace(":", "")
    return (day.strftime("%Y%m%d"), time if re.fullmatch(TIME, time) else "") if day else None


def is_before(one: Moment | None, other: Moment | None) -> bool:
    """Whether `one` is certainly earlier than `other`."""
    if one is None or other is None:
        return False
    if one[0] != other[0]:
        return one[0] < other[0]
    stated = min(len(one[1]), len(other[1]))  # one of them may state it less exactly
    return one[1][:stated] < other[1][:stated]


def latest_first(studies: Iterable[Study]) -> list[Study]:
    """Those with a date, in order of their moments, the latest first."""
    dated = [(moment_of(study.instances[0]), study.uid, study) for study in studies]
    known = [(moment, uid, study) for moment, uid, study in dated if moment]
    return [study for *_, study in sorted(known, key=lambda each: each[:2], reverse=True)]


def exams_before(
    chosen: Sequence[Series], others: Iterable[Study], name: str, need: Need, rule: Rule, most: int
) -> ChosenEarlier:
    """Of each of `others`, studies that come latest first, what fits the input called `name`.

    `chosen` is what that input has of the study itself. No more than `most` exams are taken, and
    only those that are certainly of the same patient.
    """
    exams: list[tuple[Series, ...]] = []
    remarks: list[str] = []
    now = moment_of(chosen[0].instances[0])
    for study in others:
        if len(exams) == most:
            break
        if study.uid == chosen[0].study_uid or not is_before(moment_of(study.instances[0]), now):
            continue
        found = select(study, {name: need}, rule).chosen.get(name, ())
        day = day_of(study.instances[0].header.get("StudyDate"))
        if against := next(_objections(chosen, found), ""):
            remarks.append(f"the exam of {day} is not used: {against}")
        else:
            exams.append(found)
    return ChosenEarlier(tuple(exams), tuple(remarks))


def earlier_of(
    module: type[Module],
    rule: Rule,
    chosen: Mapping[str, Sequence[Series]],
    studies: Iterable[Study],
) -> dict[str, ChosenEarlier]:
    """What `module` is given of all `studies` of a folder, where `chosen` are its images."""
    images, latest = inputs_of(module), latest_first(studies)
    return {
        name: exams_before(chosen[need.on], latest, need.on, images[need.on], rule, need.most)
        for name, need in earlier_for(module).items()
        if need.on in chosen
    }


def parts_of(found: Mapping[str, ChosenEarlier]) -> dict[str, list[Part]]:
    """The files of each exam, as a run gets them."""
    return {
        exam_name(name, number): [part for series in exam for part in Part.of(series)]
        for name, chosen in found.items()
        for number, exam in enumerate(chosen.exams)
    }


def lack_of(needs: Mapping[str, EarlierExams], given: Collection[str]) -> str:
    """Why a module cannot run with no more earlier exams than those inputs; "" if it can."""
    if all(need.optional or name in given for name, need in needs.items()):
        return ""
    return "no earlier exam of the patient that it could be compared with is here"


def _objections(chosen: Sequence[Series], found: Sequence[Series]) -> Iterator[str]:
    """Why what was `found` of an earlier exam cannot stand beside what was `chosen` now."""
    if not found:
        yield "no series of it is of the same kind"
        return
    ours, theirs = ([i.patient for one in of for i in one.instances] for of in (chosen, found))
    if not all(patient.id for patient in (*ours, *theirs)):
        yield "a Patient ID is missing"
    if differ := disagreement((*ours, *theirs)):
        yield f"it names another patient ({', '.join(differ)})"
    if any(one.birth_date_differs(ours[0]) for one in theirs):
        yield "it names another patient (PatientBirthDate)"
    if not all(is_before(one, now) for one in _moments(found) for now in _moments(chosen)):
        yield "not all of its images say that they are earlier"


def _moments(series: Iterable[Series]) -> list[Moment | None]:
    """What the images of `series` say, each answer once: a label changes with date and time."""
    images = {image.label: image for one in series for image in one.instances}
    return [moment_of(image) for image in images.values()]
