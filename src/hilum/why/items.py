"""Why one workitem has, or has not, given a result (pure)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from hilum.dicom.doubt import held_for
from hilum.records.models.workitems import Workitem
from hilum.records.states import DELIVERED, EventKind, PausedKind, WorkitemKind, WorkitemState
from hilum.study.hours import OpenHours
from hilum.study.verdict import Verdict
from hilum.summary import refusal_in
from hilum.why.deliveries import ALL_IS_WELL, of_deliveries
from hilum.why.explanation import Cause, Cure, CureKind, Explanation
from hilum.why.known import SHOWN_DIGITS, Known
from hilum.wording import WHOLE_AGAIN, listed, moment, sentence

NOTES = {  # what each kind of note is, in the middle of a sentence
    WorkitemKind.WITHDRAWAL: "the note that takes back a result",
    WorkitemKind.ASSESSMENT: "the note on what a reader said of a result",
}
BEGINS = {  # the lines of the trace that tell it where they are not called like the state
    WorkitemState.DELIVERING: (EventKind.WRITTEN, EventKind.RELEASED),
}


def of_item(known: Known, item: Workitem) -> Explanation:
    """What is to be said of `item`, whichever state it is in."""
    found = OF_STATE[item.state](known, item)
    if item.superseded_by:
        found = replace(_superseded(known, item), evidence=(found.sentence, *found.evidence))
    return replace(
        found,
        sentence=sentence(found.sentence),
        evidence=tuple(map(sentence, found.evidence)),
        study_uid=known.study_uid,
        workitem=item.id,
        module=item.module,
        since=found.since if found.since is not None else since(known, item),
    )


def since(known: Known, item: Workitem) -> float:
    """Since when it is in its state, as the trace tells; else when it was made."""
    kinds = BEGINS.get(item.state) or (EventKind(item.state),)
    times = [at for kind in kinds if (at := known.last(kind, item.id)) is not None]
    return max(times, default=item.created)


def retry(item: Workitem, text: str) -> Cure:
    """The act that runs it again, or judges it anew."""
    return Cure(CureKind.RETRY, text, f"hilum retry {item.id[-SHOWN_DIGITS:]}")


def run_again(known: Known, item: Workitem, text: str) -> Cure:
    """The same, or what to do where its images were removed."""
    if known.removal is None:
        return retry(item, text)
    when = moment(known.removal.at)
    return Cure(CureKind.SEND, f"its images were removed here on {when}: send the study again")


# Not run ------------------------------------------------------------------------------------------


def _held(_known: Known, item: Workitem) -> Explanation:
    if held_for(item.reason):
        said, _, _ = item.reason.partition(": `hilum decide")
        cure = Cure(
            CureKind.DECIDE,
            "see whose the images are, and take the right ones",
            f"hilum decide {item.study_uid}",
        )
        return Explanation(Cause.WHOSE, f"{_held_for(item)}: {said}", cures=(cure,))
    if WHOLE_AGAIN in item.reason:
        said = item.reason.removesuffix(f": {WHOLE_AGAIN}")
        cure = Cure(CureKind.SEND, "send all images of the study again")
        return Explanation(Cause.REMOVED, f"{_held_for(item)}: {said}", cures=(cure,))
    if any(verdict.accepted and verdict.lacks for verdict in item.verdicts):
        return _short(item)
    cure = Cure(CureKind.SEND, "send the missing images; it goes on by itself then")
    return Explanation(Cause.GAPS, f"{_held_for(item)}: {item.reason}", cures=(cure,))


def _held_for(item: Workitem) -> str:
    return f"the study is held, for {item.module}"


def _short(item: Workitem) -> Explanation:
    """A series is shorter than it is to be, and has no gap."""
    short = [verdict for verdict in item.verdicts if verdict.accepted and verdict.lacks]
    said = "; ".join(f"{verdict.description}: {verdict.lacks}" for verdict in short)
    cures = (
        Cure(CureKind.SEND, "send the rest; it goes on by itself then"),
        Cure(
            CureKind.ANALYSE,
            "or have what is here analysed; the result says INCOMPLETE",
            f"hilum analyse --incomplete {item.study_uid}",
        ),
    )
    return Explanation(Cause.SHORT, f"{_held_for(item)}: {said}", cures=cures)


def is_not_meant(item: Workitem) -> bool:
    """Whether its rule means none of the series of the study."""
    is_not_run = item.state is WorkitemState.NOT_APPLICABLE
    return is_not_run and not any(v.is_named and not v.accepted for v in item.verdicts)


def distance(item: Workitem) -> tuple[bool, int]:
    """How far such a rule is from taking the study: the less, the nearer."""
    nearest = nearest_verdict(item.verdicts)
    return (True, 0) if nearest is None else (not nearest.fits_modality, len(nearest.reasons))


def _not_applicable(known: Known, item: Workitem) -> Explanation:
    has_changed = item.rule not in known.site.rule
    changed = (retry(item, "the rules have changed since: judge it anew"),) if has_changed else ()
    if not is_not_meant(item):
        meant = [v for v in item.verdicts if v.is_named and not v.accepted]
        nearest = min(meant, key=lambda verdict: len(verdict.reasons))
        found = Explanation(
            Cause.NOT_APPLICABLE,
            f"nothing in the study fits {item.module}: {said_against(nearest)}",
            cures=changed or _cures_in(item, nearest),
        )
    else:
        found = _no_rule(item, changed)
    if known.removal is None:
        return found
    gone = Cure(CureKind.SEND, "send the study again, where it should be analysed after all")
    text = f"the images were removed here on {moment(known.removal.at)}: {known.removal.reason}"
    return replace(
        found,
        cause=Cause.REMOVED,
        sentence=f"{text}; before that, {found.sentence}",
        since=known.removal.at,
        cures=(gone,),
    )


def _no_rule(item: Workitem, changed: tuple[Cure, ...]) -> Explanation:
    """No series is the one that the rule means; the nearest one is told."""
    nearest = nearest_verdict(item.verdicts)
    if nearest is None:
        return Explanation(Cause.NO_RULE, f"no series for {item.module} came", cures=changed)
    text = f"no rule takes the study; the nearest is that of {item.module}: {said_against(nearest)}"
    cure = retry(item, "if it should, correct that rule in hilum.toml, and judge it anew")
    cures = changed or ((cure,) if nearest.fits_modality else ())
    return Explanation(Cause.NO_RULE, text, cures=cures)


def nearest_verdict(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The series with the fewest objections, of the right modality if there is one."""
    against = [verdict for verdict in verdicts if not verdict.accepted]
    return min(against, key=lambda v: (not v.fits_modality, len(v.reasons)), default=None)


def said_against(verdict: Verdict) -> str:
    """The objections to one series in words."""
    return f"{verdict.description}: {'; '.join(verdict.reasons)}"


def _cures_in(item: Workitem, verdict: Verdict) -> tuple[Cure, ...]:
    """What an objection names as its cure by itself, such as that to a tilted gantry."""
    told = [reason for reason in verdict.reasons if "`hilum retry`" in reason]
    return tuple(retry(item, reason) for reason in told)


# Before there is a result -------------------------------------------------------------------------


def _scheduled(known: Known, item: Workitem) -> Explanation:
    if pause := known.pause(PausedKind.MODULE, item.module):
        who = f"since {moment(pause.since)} by {pause.person}: {pause.reason}"
        text = f"the analysis by {item.module} waits, because that module has been disabled {who}"
        cure = Cure(CureKind.RESUME, "enable it", f"hilum modules enable {item.module}")
        return Explanation(Cause.QUEUED, text, cures=(cure,))
    hours = OpenHours(known.site.rule)
    if waits := hours.told(item, known.now):
        text = f"the analysis by {item.module} {waits}"
        cure = Cure(CureKind.BEGIN, "begin now", f"hilum begin {item.id[-SHOWN_DIGITS:]}")
        return Explanation(Cause.QUEUED, text, cures=(cure,))
    if item.failure is not None:
        text = f"the analysis by {item.module} waits and is tried again by itself: {item.failure}"
        cure = Cure(CureKind.LOOK, "see to the server, or correct its [[host]] in hilum.toml")
        return Explanation(Cause.QUEUED, text, cures=(cure,))
    given = [one for one in known.items if one.id in item.used.values()]
    if runs := hours.awaited(item, given, known.now):
        modules = listed(run.module for run in runs)
        text = f"the analysis by {item.module} waits for the findings of {modules}"
        others = [OF_STATE[run.state](known, run) for run in runs]
        cures = tuple(cure for other in others for cure in other.cures)
        evidence = tuple(other.sentence for other in others)
        return Explanation(Cause.QUEUED, text, cures=cures, evidence=evidence)
    return _with_worker(known, Cause.QUEUED, f"the analysis by {item.module} waits for a worker")


def _running(known: Known, item: Workitem) -> Explanation:
    return _with_worker(known, Cause.RUNNING, f"the analysis by {item.module} is running")


def _with_worker(known: Known, cause: Cause, text: str) -> Explanation:
    if known.has_worker:
        return Explanation(cause, text)
    cure = Cure(CureKind.START, "start Hilum, or a worker alone; nothing is lost", "hilum serve")
    return Explanation(cause, f"{text}, and no worker gives a sign of life", cures=(cure,))


def _cancelled(known: Known, item: Workitem) -> Explanation:
    cure = run_again(known, item, "run it again")
    why = f": {item.reason}" if item.reason else ""
    return Explanation(
        Cause.CANCELLED, f"the analysis by {item.module} was cancelled{why}", cures=(cure,)
    )


def _withdrawn(known: Known, item: Workitem) -> Explanation:
    """What the person wrote stands in the note alone: it may name the patient."""
    text = f"the result of {item.module} was taken back"
    notes = [one for one in known.items if item.reason.endswith(f"note {one.id}")]
    places = [delivery.destination for note in notes for delivery in known.deliveries[note.id]]
    if places:
        text = f"{text}; the note in {' and '.join(places)} says why"
    elif not notes and item.reason:
        text = f"{text}: {item.reason}"
    return Explanation(Cause.WITHDRAWN, text)


def _superseded(known: Known, item: Workitem) -> Explanation:
    newer = next((i for i in known.items if i.id == item.superseded_by), None)
    old = f"the run {item.id[-SHOWN_DIGITS:]} of {item.module}, made {moment(item.created)},"
    when = f", made {moment(newer.created)}" if newer else ""
    text = f"{old} was replaced by the run {(item.superseded_by or '')[-SHOWN_DIGITS:]}{when}"
    return Explanation(Cause.SUPERSEDED, text, since=newer.created if newer else None)


# With a result ------------------------------------------------------------------------------------


def _written(known: Known, item: Workitem) -> Explanation:
    """What was written, a result or a refusal, and how far it came."""
    if item.kind.is_note:
        return of_deliveries(known, item, f"{NOTES[item.kind]} of {item.module}")
    refusal = refusal_in(item.findings or ())
    if item.failure is not None or item.state is WorkitemState.FAILED:
        return _without_result(known, item, _failed(known, item))
    if refusal:
        return _without_result(known, item, _refused(item, refusal))
    return _marked(of_deliveries(known, item, f"the result of {item.module}"), item)


def _failed(known: Known, item: Workitem) -> Explanation:
    cure = run_again(known, item, "remove the cause, then run it again")
    text = f"the analysis by {item.module} failed: {item.failure or item.reason}"
    return Explanation(Cause.FAILED, text, cures=(cure,))


def _refused(item: Workitem, refusal: str) -> Explanation:
    return Explanation(Cause.MODULE_REFUSED, f"the images were refused by {item.module}: {refusal}")


def _without_result(known: Known, item: Workitem, without_result: Explanation) -> Explanation:
    """With how far the refusal came that is delivered in place of a result."""
    if not known.deliveries.get(item.id):
        return without_result
    delivered = of_deliveries(known, item, f"the refusal of {item.module}")
    if delivered.cause.rank < without_result.cause.rank:
        evidence = (without_result.sentence, *delivered.evidence)
        cures = (*delivered.cures, *without_result.cures)
        return replace(delivered, evidence=evidence, cures=cures)
    return replace(
        without_result,
        evidence=(delivered.sentence.removeprefix(ALL_IS_WELL), *delivered.evidence),
        shown_in=delivered.shown_in,
        accepted_by=delivered.accepted_by,
        cures=(*without_result.cures, *delivered.cures),
    )


def _marked(found: Explanation, item: Workitem) -> Explanation:
    """With what makes the result less certain."""
    incomplete = (f"incomplete: {item.incomplete}",) if item.incomplete else ()
    return replace(found, evidence=(*incomplete, *found.evidence))


OF_STATE: Mapping[WorkitemState, Callable[[Known, Workitem], Explanation]] = {
    WorkitemState.SCHEDULED: _scheduled,
    WorkitemState.RUNNING: _running,
    WorkitemState.NOT_APPLICABLE: _not_applicable,
    WorkitemState.HELD: _held,
    WorkitemState.CANCELLED: _cancelled,
    WorkitemState.WITHDRAWN: _withdrawn,
    **dict.fromkeys(DELIVERED, _written),
}
