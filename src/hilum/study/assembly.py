"""When a study may be analysed: adaptive completeness, per module (pure).

Nothing in DICOM says that a series is complete. What is known: gaps in the slice positions, whether
the sender still holds the association, whether it has gone on to another series, how long it has
been silent compared with its own pace, and how many images the series has where they say so, or the
archive does that they are fetched from.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hilum.config.site import Rule
from hilum.dicom.doubt import DIFFERENT
from hilum.dicom.series import Series
from hilum.module import Input, Need
from hilum.study.arrival import Arrival
from hilum.study.routing import Selection, select, whose, with_gaps
from hilum.wording import WHOLE_AGAIN, counted, how_to_decide

PACE_FACTOR = 4.0  # silence is judged against the longest pause between two images
FINISHED_QUIET_SECONDS = 0.3  # enough once the sender released, or began another series
AFTER = ", after "  # before the silence in a reason


@dataclass(frozen=True)
class Wait:
    """It is too early to decide; ask again after `seconds`.

    `what` is there so far, silent for `silence` of the `patience` s after which it is decided on;
    where it waits for no images, `what` says why, and `patience` is 0.
    `has_series`: a series is there that is meant, so this is no wait for any that may still come.
    """

    seconds: float
    what: str
    silence: float
    patience: float
    has_series: bool = True

    @classmethod
    def until(cls, patience: float, silence: float, what: str, has_series: bool = True) -> "Wait":
        """Wait for more images, which may come at any moment."""
        return cls(min(1.0, patience - silence), what, silence, patience, has_series)

    @property
    def reason(self) -> str:
        """The same as one part of a sentence."""
        if not self.patience:
            return self.what
        return f"{self.what}, silent for {self.silence:.1f} of {self.patience:.1f} s"


@dataclass(frozen=True)
class Run:
    """Analyse now. `incomplete` says what is missing, if the rule allows half a series."""

    selection: Selection
    reason: str
    incomplete: str | None = None


@dataclass(frozen=True)
class Hold:
    """Hold it for a person: the right series stayed incomplete, or names several patients."""

    selection: Selection
    reason: str


@dataclass(frozen=True)
class NotApplicable:
    """The study has gone quiet and holds nothing the module can analyse."""

    selection: Selection
    reason: str


RuleDecision = Wait | Run | Hold | NotApplicable


def decide(arrival: Arrival, needs: Mapping[str, Need], rule: Rule, now: float) -> RuleDecision:
    """What to do with a study for one rule at time `now`; nothing will come after infinity.

    Functions that modules have for their inputs are asked last: that takes a process for each.
    """
    stated = {name: _as_stated(need) for name, need in needs.items()}
    decision = _decide(arrival, stated, rule, now)
    if isinstance(decision, Run) and stated != needs:
        return _decide(arrival, needs, rule, now)
    return decision


def _as_stated(need: Need) -> Need:
    """What is needed without the function that may object to a series."""
    return replace(need, objection=None) if isinstance(need, Input) and need.objection else need


def _decide(arrival: Arrival, needs: Mapping[str, Need], rule: Rule, now: float) -> RuleDecision:
    study = arrival.study()
    selection = select(study, needs, rule)
    silence = now - arrival.last
    if not selection.complete or selection.reserved:
        gap = next(with_gaps(study, needs, rule), None)
        if more_may_come := _without_the_best(selection, gap, rule, silence):
            return more_may_come
    if arrival.removed:
        return _on_a_part(arrival, selection, rule, silence)
    judgements: list[_Short | str] = []
    for series in selection.series:
        judgement = _judge(arrival, series, rule, now)
        if isinstance(judgement, Wait):
            return judgement
        judgements.append(judgement)
    return _on_the_whole(arrival, selection, rule, judgements)


def _without_the_best(
    selection: Selection, gap: Series | None, rule: Rule, silence: float
) -> Wait | Hold | NotApplicable | None:
    """What to do while a series is missing, or a better one may come; None to take what is here.

    `gap` is a volume whose slices are not all there.
    """
    patience = rule.give_up_seconds if gap else rule.study_quiet_seconds
    missing = "no better series" if selection.complete else selection.objection
    what = f"{gap.name}: {gap.stack.problem}" if gap else missing or "no matching series"
    if silence < patience:
        is_meant = bool(gap or missing)
        return Wait.until(patience, silence, what, is_meant)
    if selection.complete:
        return None
    if gap:
        return Hold(selection, f"{what}{_after(silence)}")
    after = "" if missing else _after(silence)  # silence cures no objection
    return NotApplicable(selection, f"{what}{after}")


def _on_a_part(arrival: Arrival, selection: Selection, rule: Rule, silence: float) -> Wait | Hold:
    """What to do with the rest of a study of which a rule has removed images."""
    here = arrival.images - len(arrival.removed)
    all_of_it = counted(arrival.images, "image")
    reason = f"{here} of {all_of_it} are here, the others were removed before"
    if silence < rule.give_up_seconds:
        return Wait.until(rule.give_up_seconds, silence, reason)
    return Hold(selection, f"{reason}: {WHOLE_AGAIN}")


def _on_the_whole(
    arrival: Arrival, selection: Selection, rule: Rule, judgements: Sequence["_Short | str"]
) -> Run | Hold:
    """What to do with the chosen series, for each of which there is one of `judgements`."""
    short = {j.series_uid: j.text for j in judgements if isinstance(j, _Short)}
    if short and rule.incomplete == "hold":
        return Hold(selection.lacking(short), next(iter(short.values())))
    if differ := whose(selection, arrival.instances.values()).within:
        cure = how_to_decide(arrival.study_uid)
        return Hold(selection, f"{DIFFERENT} ({', '.join(differ)}): {cure}")
    return Run(
        selection.lacking({one.uid: arrival.left_out(one.uid) for one in selection.series}),
        "; ".join(str(j) for j in judgements),
        incomplete="; ".join(short.values()) or None,
    )


@dataclass(frozen=True)
class _Short:
    """The series broke off, or never reached the count its images state."""

    series_uid: str
    text: str

    def __str__(self) -> str:
        return self.text


def _judge(arrival: Arrival, series: Series, rule: Rule, now: float) -> Wait | _Short | str:
    """Wait, or a sentence saying why the chosen `series` counts as complete (or stays short)."""
    silence = now - arrival.last_of_series.get(series.uid, arrival.last)
    if short := _shortage(arrival, series.uid, rule, silence):
        return short
    finished = arrival.finished(series.uid)
    base = min(FINISHED_QUIET_SECONDS, rule.quiet_seconds) if finished else rule.quiet_seconds
    quiet = min(max(base, PACE_FACTOR * arrival.longest_pause), rule.give_up_seconds)
    if silence < quiet:
        images = counted(arrival.images_of(series.uid), "image")
        return Wait(quiet - silence, images, silence, quiet)
    sign = f"silent for {silence:.1f} s" if silence < math.inf else "there are no more"
    if finished:
        went_on = arrival.last_series != series.uid
        sign = "sender went on to another series" if went_on else "sender released"
    return ", ".join(_said(arrival, series.uid, sign))


def _shortage(arrival: Arrival, uid: str, rule: Rule, silence: float) -> Wait | _Short | None:
    """What is known to be missing of a series: more may come, or it stays short."""
    count, expected = arrival.images_of(uid), arrival.images_to_come(uid)
    text, after = "", ""
    if expected is not None and count < expected:
        text = f"{count} of {counted(expected, 'image')} the series is to have"
        after = _after(silence)
    elif uid in arrival.broken_off:
        text = f"the association broke off after {counted(count, 'image')}"
    if text and silence < rule.give_up_seconds:
        return Wait.until(rule.give_up_seconds, silence, text)
    lacks = f"{text}{after}" or arrival.short.get(uid, "")
    return _Short(uid, lacks) if lacks else None


def _said(arrival: Arrival, uid: str, sign: str) -> Iterator[str]:
    """Why a series counts as complete, of which `sign` tells that nothing more comes."""
    yield from (counted(arrival.images_of(uid), "image"), sign, "no gap")
    if expected := arrival.images_to_come(uid):
        yield f"{expected} announced"
    if left_out := arrival.images_left_out(uid):
        yield f"{left_out} of them left out because a person decided so"


def _after(silence: float) -> str:
    return f"{AFTER}{silence:.0f} s of silence" if silence < math.inf else ""


def is_same_reason(one: str, other: str) -> bool:
    """Whether two reasons of a `Hold` or `NotApplicable` differ in the silence alone, if at all."""
    return one.partition(AFTER)[0] == other.partition(AFTER)[0]
