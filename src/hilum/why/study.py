"""Why a study has, or has not, given what somebody looks for."""

from collections.abc import Iterator
from dataclasses import replace

from hilum.dicom.doubt import CORRECTED
from hilum.inbox import QuarantinedObject, quarantined_in
from hilum.records.models.studies import Study
from hilum.records.models.workitems import Workitem
from hilum.records.states import EventKind, StudyWait
from hilum.why.explanation import Cause, Cure, CureKind, Explanation
from hilum.why.items import distance, is_not_meant, of_item
from hilum.why.known import Known
from hilum.why.steps import of_steps
from hilum.wording import counted, moment, sentence, waits_for

MOST_LOOKED_AT = 1000  # objects in quarantine, the latest ones, among which those of a study are
MOST_NAMED = 3  # of them
MAY_BE_FOR_WHAT_IS_MISSING = (  # images that were not taken in may be the cause of these
    Cause.GAPS,
    Cause.SHORT,
    Cause.WAITING,
    Cause.REMOVED,
    Cause.NOT_APPLICABLE,
    Cause.NO_RULE,
)


def of_study(known: Known) -> list[Explanation]:
    """Everything that is to be said of a study, what most needs a person first.

    A rule that means none of its series is told only if no other does, and then the nearest one.
    """
    current = [item for item in known.items if not item.superseded_by and not _is_done(item)]
    taken = [item for item in current if not is_not_meant(item)]
    found = [*_of_images(known), *of_steps(known), *(of_item(known, item) for item in taken)]
    if not found and current:
        found = [of_item(known, min(current, key=distance))]
    if not found and known.study is not None:
        found = [_without_workitem(known, known.study)]
    found.sort(key=lambda one: one.cause.rank)
    if not found or found[0].cause in MAY_BE_FOR_WHAT_IS_MISSING:
        found = [*_not_taken_in(known), *found]
    if found and found[0].cause in (Cause.GAPS, Cause.SHORT):
        found[0] = _with_unknown(known, found[0])
    replaced = (of_item(known, item) for item in known.items if item.superseded_by)
    return [_of(known, one) for one in (*found, *replaced)]


def _of(known: Known, one: Explanation) -> Explanation:
    text, evidence = sentence(one.sentence), tuple(map(sentence, one.evidence))
    return replace(one, sentence=text, evidence=evidence, study_uid=known.study_uid)


def _is_done(item: Workitem) -> bool:
    """Whether it is a note that has arrived: nobody would ask about it."""
    return item.kind.is_note and item.state.final


def _of_images(known: Known) -> Iterator[Explanation]:
    """What is to be said of the images, beside the workitems."""
    if known.is_corrected:
        cure = Cure(
            CureKind.DECIDE,
            "see whose the images are, and take the right ones",
            f"hilum decide {known.study_uid}",
        )
        at = known.last(EventKind.CORRECTED)
        yield Explanation(Cause.WHOSE, f"{CORRECTED} for this study", since=at, cures=(cure,))
    if known.study is None or known.removal is not None or known.study.settled_images:
        return
    if known.study.waits_for is not StudyWait.IMAGES:
        yield _unjudged(known, known.study)
    elif known.study.patience:
        yield _waiting(known, known.study)


def _waiting(known: Known, study: Study) -> Explanation:
    quiet = max(0.0, known.now - study.last_at)
    silent = f"silent for {quiet:.0f} of {study.patience:.0f} s"
    text = f"{waits_for(study.reason, study.patience)}, {silent}"
    came = f"{counted(study.images, 'image')} so far, the last one {moment(study.last_at)}"
    if quiet <= study.patience + SLACK_SECONDS:
        return Explanation(Cause.WAITING, text, since=study.first_at, evidence=(came,))
    cure = Cure(CureKind.START, "see whether the gateway runs, and start it", "hilum serve")
    since = moment(study.last_at + study.patience)
    said = f"it has waited for a decision since {since}: {study.reason}, {silent}"
    return Explanation(Cause.WAITING, said, since=study.first_at, cures=(cure,), evidence=(came,))


SLACK_SECONDS = 30.0  # after which a study that waits should have been decided on


def _unjudged(known: Known, study: Study) -> Explanation:
    kinds = (EventKind.UNJUDGED, EventKind.UNREADABLE)
    times = [at for kind in kinds if (at := known.last(kind)) is not None]
    since = max(times, default=study.last_at)
    look = CURES_OF[study.waits_for or StudyWait.MISTAKE]
    cures = [replace(look, command=look.command.format(known.study_uid))]
    if study.waits_for is StudyWait.MODULE:
        cures.append(WITHOUT_RULE)
    return Explanation(Cause.UNJUDGED, f"the study {study.reason}", since, cures=tuple(cures))


CURES_OF = {
    StudyWait.MODULE: Cure(
        CureKind.LOOK, "have the module work again, then restart `hilum serve`", "hilum modules"
    ),
    StudyWait.MACHINE: Cure(
        CureKind.LOOK,
        "it is tried again within a minute; see whether this machine has what it needs",
        "hilum check",
    ),
    StudyWait.MISTAKE: Cure(
        CureKind.LOOK,
        "it is tried again within an hour, and at each start of Hilum; report it to its makers "
        "with the trace",
        "hilum trace {}",
    ),
}
WITHOUT_RULE = Cure(
    CureKind.CONFIGURE,
    "or take the rule of that module out of hilum.toml: the study is decided on without it then,"
    " and its images are kept here until one of both is done",
)


def _without_workitem(known: Known, study: Study) -> Explanation:
    """No rule has decided anything about it."""
    if known.removal is not None:
        removal = known.removal
        when = f"{moment(removal.at)}: {removal.reason}"
        text = f"the images were removed here on {when}; no rule had taken the study"
        cure = Cure(CureKind.SEND, "send the study again, where it should be analysed after all")
        return Explanation(Cause.REMOVED, text, since=removal.at, cures=(cure,))
    if not study.settled_images:
        came = f"{counted(study.images, 'image')} so far" if study.images else "the first images"
        text = f"images are coming: {came}, the last one {moment(study.last_at)}"
        return Explanation(Cause.WAITING, text, since=study.first_at)
    text = "no rule takes the study"
    if study.reason:
        text = f"{text}; the nearest is that of {study.reason}"
    cure = Cure(
        CureKind.CONFIGURE,
        "if it should be analysed, correct or add a rule in hilum.toml, and run it again",
        f"hilum rerun {known.study_uid}",
    )
    return Explanation(Cause.NO_RULE, text, since=study.last_at, cures=(cure,))


# What was not taken in ----------------------------------------------------------------------------


def _not_taken_in(known: Known) -> Iterator[Explanation]:
    """What was received of the study and lies in quarantine, or did when it came."""
    events = [event for event in known.events if event.kind is EventKind.QUARANTINED]
    if not events:
        return
    _, listed = quarantined_in(known.site.data, MOST_LOOKED_AT)
    there = [one for one in listed if one.study_uid == known.study_uid]
    number = counted(max(len(there), len(events)), "image")
    verb = "was" if number.startswith("1 ") else "were"
    text = f"{number} of the study {verb} not taken in: {events[-1].text}"
    yield Explanation(
        Cause.NOT_TAKEN_IN,
        text,
        since=events[-1].at,
        cures=_cures(there),
        evidence=tuple(f"{moment(one.at)}: {one.reason}" for one in there[:MOST_NAMED]),
    )


def _with_unknown(known: Known, one: Explanation) -> Explanation:
    """What is missing may lie in quarantine, unreadable, so that nobody knows of which study it is.

    Told are those objects that came since the first image of the study did.
    """
    _, listed = quarantined_in(known.site.data, MOST_LOOKED_AT)
    first_at = known.study.first_at if known.study else known.now
    unknown = [each for each in listed if not each.study_uid and each.at >= first_at]
    if not unknown:
        return one
    objects = counted(len(unknown), "object")
    last = unknown[0]
    text = (
        f"meanwhile, {objects} came that cannot be read, so nobody knows of which study; the last"
        f" one from {last.sender or 'an unknown sender'}, {moment(last.at)}: {last.reason}"
    )
    cure = Cure(CureKind.LOOK, "see what could not be read, and from whom", "hilum quarantine")
    return replace(one, evidence=(text, *one.evidence), cures=(*one.cures, cure))


def _cures(there: list[QuarantinedObject]) -> tuple[Cure, ...]:
    advice = dict.fromkeys(one.advice for one in there)
    found = (Cure(CureKind.SEND, text, "hilum quarantine") for text in advice)
    return tuple(found) or (Cure(CureKind.SEND, "have it sent again"),)
