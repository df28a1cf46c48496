"""Which series a module gets, and why: every candidate gets a verdict with reasons (pure)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from hilum.assignment import assigned
from hilum.config.patterns import matches
from hilum.config.site import Rule
from hilum.dicom.geometry import Flaw
from hilum.dicom.identity import Judgement, attributes, judge
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.module import Films, Input, Need
from hilum.module.conditions import LONGEST_VALUE, mismatches
from hilum.verdict import ONLY_INPUT, Verdict

MOST_ASKED = 50  # images with other patient or study data that fill what one of them leaves empty
MOST_SAID = 3  # series in a reason
TILT_CURE = (
    'to have the slices laid on a right-angled grid, set rule.tilt = "resample", restart Hilum'
    " and run `hilum retry`; for `hilum run`, use --tilt resample"
)


@dataclass(frozen=True)
class Selection:
    """The chosen series by input name (only those found), and a verdict for every candidate.

    `missing` are the inputs that are not optional and have none. It is `reserved` where a better
    series may still come: there is a reservation to a chosen one, or an optional input has none.
    """

    chosen: Mapping[str, tuple[Series, ...]]
    verdicts: tuple[Verdict, ...]
    missing: tuple[str, ...]
    reserved: bool

    @property
    def complete(self) -> bool:
        return bool(self.chosen) and not self.missing

    @property
    def series(self) -> tuple[Series, ...]:
        """The chosen series of all inputs."""
        return tuple(one for several in self.chosen.values() for one in several)

    @property
    def images(self) -> dict[str, Instance]:
        """The chosen images of all inputs, by SOP Instance UID."""
        return {image.sop_instance_uid: image for one in self.series for image in one.instances}

    @property
    def objection(self) -> str:
        """What is wrong with the series that are meant for an input that has none; "" if none is.

        No more than `MOST_SAID` are named of each input.
        """
        return "; ".join(part for name in self.missing for part in self._objections(name))

    def _objections(self, name: str) -> Iterator[str]:
        prefix = "" if name == ONLY_INPUT else f"{name}: "
        against = [v for v in self.verdicts if v.is_named and v.input == name]
        yield from (f"{prefix}{v.description}: {'; '.join(v.reasons)}" for v in against[:MOST_SAID])
        if (more := len(against) - MOST_SAID) > 0:
            yield f"and {more} more series"
        elif prefix and not against:
            yield f"{prefix}no matching series"

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


def select(study: Study, needs: Mapping[str, Need], rule: Rule) -> Selection:
    """Choose one series of `study` for every input in `needs` under `rule`; of films all that fit.

    Own results never qualify, and nothing fills two inputs (`hilum.assignment`). Of several
    that fit, one without reservations goes before those with; then the one with most images wins,
    then the one with the higher Series Number, then the greater UID: never chance.
    """
    candidates = [s for s in study.series if not s.instances[0].is_own_result]
    offers = {name: _offer(name, candidates, need, rule) for name, need in needs.items()}
    chosen = _chosen(offers, needs)
    verdicts: list[Verdict] = []
    for name, offer in offers.items():
        verdicts += [*offer.unfit, *_ranking(offer, chosen, patterns_of(rule, name))]
    without = [name for name in needs if name not in chosen]
    missing = tuple(name for name in without if not needs[name].optional)
    reserved = any(offers[n].against[s] for n, several in chosen.items() for s in several)
    return Selection(chosen, tuple(verdicts), missing, reserved or len(without) > len(missing))


@dataclass(frozen=True)
class _Offer:
    """What a study has for one input: what fits, the best first, and why the rest does not."""

    name: str
    ranked: Sequence[Series]
    against: Mapping[Series, tuple[str, ...]]  # the reservations to each that fits
    unfit: Sequence[Verdict]


def _offer(name: str, candidates: Iterable[Series], need: Need, rule: Rule) -> _Offer:
    patterns = patterns_of(rule, name)
    unfit: list[Verdict] = []
    fitting: dict[Series, tuple[str, ...]] = {}
    for one in candidates:
        for series in need.candidates(one, rule.tilt == "resample"):
            if verdict := _unfit(name, series, need, patterns):
                unfit.append(verdict)
            else:
                fitting[series] = _reservations(series, need)
    ranked = sorted(fitting, key=lambda s: (not fitting[s], *_preference(s)), reverse=True)
    return _Offer(name, ranked, fitting, unfit)


def _chosen(
    offers: Mapping[str, _Offer], needs: Mapping[str, Need]
) -> dict[str, tuple[Series, ...]]:
    """What fills each input, in the order of `needs`: volumes first, films from what is left."""
    single = [name for name, need in needs.items() if isinstance(need, Input)]
    ranked = {name: list(dict.fromkeys(map(_place, offers[name].ranked))) for name in single}
    places = assigned(ranked, [name for name in single if needs[name].optional])
    found = {
        name: tuple(s for s in offers[name].ranked if _place(s) == place)[:1]
        for name, place in places.items()
    }
    used = {series.uid for several in found.values() for series in several}
    for name in needs.keys() - set(single):
        films = tuple(series for series in offers[name].ranked if series.uid not in used)
        used |= {series.uid for series in films}
        found |= {name: films} if films else {}
    return {name: found[name] for name in needs if name in found}


def patterns_of(rule: Rule, name: str) -> Mapping[str, str]:
    """What the rule says of the series for the input called `name`."""
    return rule.series if name == ONLY_INPUT else rule.inputs.get(name, {})


def _unfit(name: str, series: Series, need: Need, patterns: Mapping[str, str]) -> Verdict | None:
    """Why `series` cannot be the input called `name`; None if it can."""
    fits = need.is_for(series)
    if against := misnamed(series, patterns):
        said = (*against, *need.objections(series), *series.aside)
        return _verdict(name, series, False, said, is_named=False, fits_modality=fits)
    if objections := tuple(need.objections(series)):
        said = (*objections, *_cure(series, need), *series.aside)
        return _verdict(name, series, False, said, is_named=fits, fits_modality=fits)
    return None


def _place(series: Series) -> tuple[str, str]:
    """What cannot fill two inputs: a series, or one of the volumes that it holds."""
    return series.uid, series.label


def _ranking(
    offer: _Offer, chosen: Mapping[str, tuple[Series, ...]], patterns: Mapping[str, str]
) -> Iterator[Verdict]:
    """A verdict for each series that fits one input, the best first."""
    taken = chosen.get(offer.name, ())
    users = {_place(s): n for n, several in chosen.items() for s in several if n != offer.name}
    for rank, series in enumerate(offer.ranked):
        against = offer.against[series]
        if series in taken:
            others = rank < len(offer.ranked) - 1
            why = _why(series, patterns, against, others)
            yield _verdict(offer.name, series, True, why)
            continue
        if user := users.get(_place(series)):
            reason = f"fits, but is used as {user}"
        elif taken:
            better = taken[0].name if taken[0].uid != series.uid else taken[0].label
            reason = f"fits, but {better} fits first"
        else:
            reason = "fits, but another input needs it"
        yield _verdict(offer.name, series, False, (*against, reason))


def with_gaps(study: Study, needs: Mapping[str, Need], rule: Rule) -> Iterator[Series]:
    """Volumes that are rejected only because slices inside or at their ends may still come."""
    for name, need in needs.items():
        if not isinstance(need, Input) or not need.volume:
            continue
        patterns = patterns_of(rule, name)
        for series in study.series:
            if not series.instances[0].is_own_result:
                volumes = need.candidates(series, rule.tilt == "resample")
                yield from (v for v in volumes if _lacks_slices_only(v, need, patterns))


def _lacks_slices_only(volume: Series, need: Input, patterns: Mapping[str, str]) -> bool:
    flaw = volume.stack.flaw
    is_first = flaw is Flaw.SINGLE and not volume.label
    if not (is_first or flaw is Flaw.MISSING) or misnamed(volume, patterns):
        return False
    return not any(need.lasting_objections(volume))


def misnamed(series: Series, patterns: Mapping[str, str]) -> tuple[str, ...]:
    """Why `series` is not the one that the site means by `patterns`; () if it is."""
    return tuple(mismatches(series, patterns, "the rule"))


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
