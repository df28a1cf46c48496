"""What the UIDs of a result follow from: what was analysed, by what, and nothing of when."""

from collections.abc import Iterable, Mapping

from hilum.config.site import Rule
from hilum.dicom.identity import label_of
from hilum.dicom.parts import Part, images_of
from hilum.dicom.series import Series
from hilum.dicom.uids import derived_uid
from hilum.module import ModuleFacts
from hilum.study.given_exam import EarlierExam
from hilum.study.routing import Selection

NOTHING: Mapping[str, str] = {}
NO_EXAMS: Mapping[str, tuple[EarlierExam, ...]] = {}


def run_uid(
    rule: Rule,
    module: ModuleFacts,
    inputs: Mapping[str, Iterable[Series]],
    taken_back: int = 0,
    used: Mapping[str, str] = NOTHING,
    priors: Mapping[str, tuple[EarlierExam, ...]] = NO_EXAMS,
) -> str:
    """The id of the run of `module` on `inputs`; the UIDs of all its results follow from it.

    It is made of the study and the images with their frames, of whose they are (every attribute of
    patient and study, so the issuer of the ID and the accession number, too), of the rule and its
    parameters, of the module's name, version and weights, of the runs of other modules whose
    findings are `used`, of the earlier exams (`priors`) that it is given, and of `taken_back`: how
    many earlier results on exactly these were taken back before a person decided for them again. It
    holds no clock and no order of arrival. So a result that has to be made once more, because what
    we remember was lost, is the same one for every archive; and the result of a corrected patient
    never has the UIDs of one that was withdrawn.

    From an id follow that of the run which repeats a failed one (`repeated_uid`), that of the note
    which takes its result back (`withdrawal_uid`), and the SOP Instance UID of each object, by its
    kind, variant and number (`hilum.objects.iod.common.sop_instance_uid`).
    """
    chosen = {name: tuple(series) for name, series in inputs.items()}
    instances = [i for series in chosen.values() for one in series for i in one.instances]
    by = (module.name, module.version, module.weights_sha256, rule.key, rule.tilt)
    images = (
        f"{name}: {image}"
        for name in sorted(chosen)
        for image in sorted(image for one in chosen[name] for image in images_of(one))
    )
    studies = sorted({instance.study_uid for instance in instances})
    given = [f"{name}: findings of {run}" for name, run in sorted(used.items())]
    given += _of_exams(priors)
    return derived_uid("run", *studies, label_of(instances), *by, str(taken_back), *images, *given)


def _of_exams(priors: Mapping[str, tuple[EarlierExam, ...]]) -> list[str]:
    """The images of earlier exams, and whose they are."""
    return [
        f"{name}/{number}: {exam.label} {image}"
        for name, exams in sorted(priors.items())
        for number, exam in enumerate(exams)
        for of_series in exam.images
        for image in of_series.images
    ]


def files_of(selection: Selection) -> dict[str, tuple[str, ...]]:
    """The files of each input, and the numbers of their frames where not all are meant."""
    return {
        name: tuple(sorted(str(part) for series in chosen for part in Part.of(series)))
        for name, chosen in selection.chosen.items()
    }


def repeated_uid(
    run: str,
    module: ModuleFacts,
    used: Mapping[str, str] | None = None,
    priors: Mapping[str, tuple[EarlierExam, ...]] | None = None,
) -> str:
    """The id of the run that repeats `run`, which failed or was cancelled, with today's module.

    `used` are the runs whose findings it is given, and `priors` the earlier exams, where they are
    others than those of `run`.
    """
    given = [] if used is None else ["used", *(f"{n}: {of}" for n, of in sorted(used.items()))]
    given += [] if priors is None else ["priors", *_of_exams(priors)]
    return derived_uid(run, "again", module.version, module.weights_sha256, *given)


def withdrawal_uid(run: str) -> str:
    """The id of the workitem whose note takes the result of `run` back."""
    return derived_uid(run, "withdrawal")


def assessment_uid(run: str, number: int) -> str:
    """The id of the workitem whose note tells the `number`-th assessment of the result of `run`."""
    return derived_uid(run, "assessment", str(number))


def not_run_uid(study_uid: str, rule: Rule) -> str:
    """The id of the workitem that says why no module was run on a study for `rule`."""
    return derived_uid(study_uid, rule.key, "not run")
