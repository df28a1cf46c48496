"""Which series a module gets, and why: every candidate gets a verdict with reasons (pure)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from hilum.config.patterns import matches
from hilum.config.site import Rule, Site
from hilum.dicom.identity import PATIENT_AND_STUDY, Judgement, attributes, judge
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.module import Films, Need
from hilum.verdict import Verdict

MOST_ASKED = 50  # images with other patient or study data that fill what one of them leaves empty
LONGEST_VALUE = 1024  # characters that patterns are compared with
MOST_SAID = 3  # series in a reason
TILT_CURE = (
    'to have the slices laid on a right-angled grid, set rule.tilt = "resample", restart Hilum'
    " and run `hilum retry`; for `hilum run`, use --tilt resample"
)


@dataclass(frozen=True)
class Selection:
    """The chosen series by input name (only those found), and a verdict for every candidate."""

    chosen: Mapping[str, tuple[Series, ...]]
    verdicts: tuple[Verdict, ...]
    complete: bool
    reserved: bool  # there is a reservation to one that was chosen: a better one may still come

    @property
    def images(self) -> dict[str, Instance]:
        """The chosen images of all inputs, by SOP Instance UID."""
        series = (one for several in self.chosen.values() for one in several)
        return {image.sop_instance_uid: image for one in series for image in one.instances}

    @property
    def objection(self) -> str:
        """What is wrong with the series that are meant for an input that has none; "" if none is.

        No more than `MOST_SAID` are named.
        """
        against = [v for v in self.verdicts if v.is_named and v.input not in self.chosen]
        said = [f"{v.description}: {'; '.join(v.reasons)}" for v in against]
        more = [f"and {len(said) - MOST_SAID} more series"] if len(said) > MOST_SAID else []
        return "; ".join([*said[:MOST_SAID], *more])

    def lacking(self, short: Mapping[str, str]) -> "Selection":
        """The same with what is not there of chosen series, by Series Instance UID."""
        verdicts = (replace(v, lacks=short.get(v.series_uid, "")) for v in self.verdicts)
        return replace(self, verdicts=tuple(verdicts))

    @property
    def lacks(self) -> tuple[str, ...]:
        """What the chosen series lack, each thing once."""
        return tuple(dict.fromkeys(v.lacks for v in self.verdicts if v.accepted and v.lacks))

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence per candidate, the chosen ones first."""
        return tuple(str(v) for v in sorted(self.verdicts, key=lambda v: not v.accepted))


def applies(rule: Rule, study: Study) -> bool:
    """Whether one series of the study meets all of the rule's conditions on study attributes.

    What its first image leaves empty comes from other series of the same patient. One series has to
    meet all conditions: attributes of several patients never make a match together.
    """
    return not rule.study or not all(_unmet_conditions(rule, study))


def nearest_rule(rules: Iterable[Rule], study: Study) -> str:
    """The rule with the fewest conditions that the study does not meet, and what they are.

    "" without any rule. It holds no value, as these are patient and study attributes.
    """
    unmet = [(rule, of_one) for rule in rules for of_one in _unmet_conditions(rule, study)]
    if not unmet:
        return ""
    rule, differs = min(unmet, key=lambda pair: len(pair[1]))
    return f"{rule.module}: {'; '.join(differs)}"


def _unmet_conditions(rule: Rule, study: Study) -> Iterator[tuple[str, ...]]:
    """For one image of each series and patient, the conditions on the study that it fails."""
    by_label: dict[str, Instance] = {}
    for series in study.series:
        by_label.setdefault(series.instances[0].label, series.instances[0])
    images = list(by_label.values())
    for image in images:
        yield tuple(_failed(rule.study, attributes([image], images[:MOST_ASKED])))


def _failed(conditions: Mapping[str, str], stated: Dataset) -> Iterator[str]:
    for keyword, pattern in conditions.items():
        value = str(stated.get(keyword) or "")[:LONGEST_VALUE]
        if not matches(pattern, value):
            what = "does not match" if value else "is empty"
            yield f"{keyword} {what}, the rule asks for {pattern!r}"


def whose(selection: Selection, images: Iterable[Instance]) -> Judgement:
    """Whether the chosen images are of one patient, and the other `images` of their study.

    Own results that came back do not count.
    """
    chosen = selection.images
    others = (image for image in images if image.sop_instance_uid not in chosen)
    return judge(
        (image.patient for image in chosen.values()),
        (image.patient for image in others if not image.is_own_result),
    )


def recipients(site: Site, rule: Rule, refused: bool) -> dict[str, bool]:
    """Names of the destinations of a result, and whether the images go along to each."""
    outcome = "refusal" if refused else "result"
    names = dict.fromkeys(rule.send_to, False)
    for route in site.route:
        if (not route.modules or rule.module in route.modules) and route.outcome in (
            "any",
            outcome,
        ):
            names |= {name: names.get(name, False) or route.images for name in route.send_to}
    return names


def select(study: Study, needs: Mapping[str, Need], rule: Rule) -> Selection:
    """Choose one series of `study` for every input in `needs` under `rule`; of films all that fit.

    Own results never qualify. Where several series fit, one without reservations goes before those
    with; then the one with most images wins, then the one with the higher Series Number, then the
    greater UID: never chance.
    """
    chosen: dict[str, tuple[Series, ...]] = {}
    verdicts: list[Verdict] = []
    reserved = False
    candidates = [s for s in study.series if not s.instances[0].is_own_result]
    for name, need in needs.items():
        patterns = rule.series if name == "series" else rule.inputs.get(name, {})
        fitting = []
        reservations: dict[Series, tuple[str, ...]] = {}
        for series in (
            found for one in candidates for found in need.candidates(one, rule.tilt == "resample")
        ):
            if against := misnamed(series, patterns):
                said = (*against, *need.objections(series), *series.aside)
                fits = need.is_for(series)
                verdict = _verdict(name, series, False, said, is_named=False, fits_modality=fits)
                verdicts.append(verdict)
            elif objections := tuple(need.objections(series)):
                said = (*objections, *_cure(series, need), *series.aside)
                fits = need.is_for(series)
                verdicts.append(_verdict(name, series, False, said, fits, fits_modality=fits))
            else:
                fitting.append(series)
                reservations[series] = _reservations(series, need)
        fitting.sort(key=lambda s: (not reservations[s], *_preference(s)), reverse=True)
        wanted = fitting if isinstance(need, Films) else fitting[:1]
        if wanted:
            chosen[name] = tuple(wanted)
        for rank, series in enumerate(fitting):
            against = reservations[series]
            if rank < len(wanted):
                others = rank < len(fitting) - 1
                why = _why(series, patterns, against, others)
                verdicts.append(_verdict(name, series, True, why))
                reserved = reserved or bool(against)
            else:
                better = fitting[0].name if fitting[0].uid != series.uid else fitting[0].label
                reasons = (*against, f"fits, but {better} fits first")
                verdicts.append(_verdict(name, series, False, reasons))
    return Selection(chosen, tuple(verdicts), set(chosen) == set(needs), reserved)


def misnamed(series: Series, patterns: Mapping[str, str]) -> tuple[str, ...]:
    """Why `series` is not the one that the site means by `patterns`; () if it is."""
    objections = []
    for keyword, pattern in patterns.items():
        value = series.header.text(keyword, LONGEST_VALUE)
        if not matches(pattern, value):
            # values of patient attributes never reach a record
            shown = "does not match" if keyword in PATIENT_AND_STUDY else f"is {value[:64]!r}"
            objections.append(f"{keyword} {shown}, the rule asks for {pattern!r}")
    return tuple(objections)


def _cure(series: Series, need: Need) -> tuple[str, ...]:
    """What a person may do if nothing but the tilt of the gantry is against `series`."""
    straight = series.straightened
    return () if straight is series or any(need.objections(straight)) else (TILT_CURE,)


def _reservations(series: Series, need: Need) -> tuple[str, ...]:
    """All films that fit are taken, so there is nothing to prefer among them."""
    return () if isinstance(need, Films) else (*need.reservations(series), *series.cautions)


def _why(
    series: Series, patterns: Mapping[str, str], reservations: tuple[str, ...], others: bool
) -> tuple[str, ...]:
    reasons = [f"{keyword} matches {pattern!r}" for keyword, pattern in patterns.items()]
    reasons.append(f"{series.modality} as the module needs")
    if series.stack.spacing is not None and not series.stack.problem:
        reasons.append(
            f"{len(series.frames)} evenly spaced slices {series.stack.spacing:.3g} mm apart"
        )
    reasons += series.aside
    if reservations:
        against = "; ".join(reservations)
        compared = "no other is better, " if others else ""
        reasons.append(f"{compared}although {against}")
    return tuple(reasons)


def _preference(series: Series) -> tuple[int, int, str]:
    number = series.header.integer("SeriesNumber") or 0
    return len(series.frames), number, series.uid


def _verdict(
    name: str,
    series: Series,
    accepted: bool,
    reasons: tuple[str, ...],
    is_named: bool = True,
    fits_modality: bool = True,
) -> Verdict:
    images = len(series.frames) or len(series.instances)
    verdict = Verdict(name, series.uid, series.name, images, accepted, reasons, is_named)
    return replace(verdict, fits_modality=fits_modality)
