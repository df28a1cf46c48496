"""What one module has found goes to another one that names it, on the same images of one study."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hilum.config.site import Rule
from hilum.dicom.parts import Part
from hilum.engine import exchange
from hilum.module import FindingsOf, ModuleFacts
from hilum.module.composition import in_order
from hilum.records import Records
from hilum.records.models.workitems import Workitem
from hilum.records.states import DELIVERED, UNFINISHED, WITHOUT_RESULT, WorkitemState
from hilum.study.assembly import RuleDecision, Run, Wait
from hilum.study.hours import OpenHours
from hilum.summary import refusal_in

FILES = (exchange.FINDINGS, exchange.ARRAYS)

Files = Mapping[str, tuple[str, ...]]  # as `Workitem.inputs`


class Composition:
    """Which runs are given the findings of which others; `named` are those that modules name.

    `folder_of` gives the folder with the results of a run, `clock` the time in s since 1970, and
    `hours` when runs may begin.
    """

    def __init__(
        self,
        records: Records,
        folder_of: Callable[[str], Path],
        named: Mapping[str, Mapping[str, FindingsOf]],
        clock: Callable[[], float],
        hours: OpenHours,
    ) -> None:
        self._hours = hours
        self._records = records
        self._folder = folder_of
        self._named = {name: given for name, given in named.items() if given}
        order = in_order({name: given.values() for name, given in self._named.items()})
        self._places = {name: place for place, name in enumerate(order)}
        self._clock = clock

    def in_turn(
        self, rules: Sequence[Rule], decisions: Sequence[RuleDecision]
    ) -> list[tuple[Rule, RuleDecision]]:
        """Each rule of a study with its decision, those first whose findings others need.

        One whose module could run waits as long as the other module waits for images.
        """
        pairs = list(zip(rules, decisions, strict=True))
        decided = [(rule, self._after(rule, decision, pairs)) for rule, decision in pairs]
        return sorted(decided, key=lambda pair: self._places.get(pair[0].module, 0))

    def _after(
        self, rule: Rule, decision: RuleDecision, pairs: Iterable[tuple[Rule, RuleDecision]]
    ) -> RuleDecision:
        named = {one.module for one in self._named.get(rule.module, {}).values()}
        if not named or not isinstance(decision, Run):
            return decision
        for other, its in pairs:
            if other.module in named and isinstance(its, Wait):
                what = f"{its.what} for {other.module}"
                return Wait(its.seconds, what, its.silence, its.patience, its.has_series)
        return decision

    def runs_for(self, study_uid: str, module: str, files: Files) -> dict[str, str]:
        """The runs whose findings `module` is to be given beside `files`, by input, as of now."""
        named = self._named.get(module, {})
        found = {name: self._run_of(study_uid, need, files) for name, need in named.items()}
        return {name: run for name, run in found.items() if run}

    def _run_of(self, study_uid: str, need: FindingsOf, files: Files) -> str:
        on = files.get(need.on or next(iter(files), ""))
        items = self._records.workitems.of_module(study_uid, need.module)
        return next(
            (
                item.id
                for item in reversed(items)
                if on in item.inputs.values()
                and item.superseded_by is None
                and (item.state in UNFINISHED or self._has_findings(item))
            ),
            "",
        )

    def lack(self, module: str, used: Mapping[str, str]) -> str:
        """Why `module` cannot run with no more than the findings in `used`; "" if it can."""
        lacking = [
            need.module
            for name, need in self._named.get(module, {}).items()
            if not need.optional and name not in used
        ]
        return f"there is no result of {', '.join(lacking)} on the same images" if lacking else ""

    def told(self, item: Workitem) -> str:
        """What `item` is given beside images, for the trace; "" if it is nothing."""
        given = (f"{m.name} ({item.used[name][-8:]})" for name, m in self.modules(item).items())
        text = ", ".join(given)
        return f", with the findings of {text}" if text else ""

    def awaited(self, item: Workitem) -> list[Workitem]:
        """The runs whose findings `item` is to be given, and waits for before it begins."""
        return self._hours.awaited(item, self._runs(item).values(), self._clock())

    def waiting_for(self, item: Workitem) -> Iterator[Workitem]:
        """The workitems that are to be given the findings of `item`, and have not begun."""
        for other in self._records.workitems.of_study(item.study_uid):
            if other.state is WorkitemState.SCHEDULED and item.id in other.used.values():
                yield other

    def results_with(self, item: Workitem) -> list[Workitem]:
        """The runs whose results stand, and that were given the findings of `item`."""
        return [
            other
            for other in self._records.workitems.of_study(item.study_uid)
            if item.id in other.used.values()
            and other.state in DELIVERED
            and other.superseded_by is None
        ]

    def used_by(self, item: Workitem) -> dict[str, str]:
        """What is there by now of what `item` is to be given."""
        runs = self._runs(item).items()
        return {name: run.id for name, run in runs if self._has_findings(run)}

    def _runs(self, item: Workitem) -> dict[str, Workitem]:
        """The runs that it is to be given, or those that repeat them on the same images."""
        found = {}
        for name, run_id in item.used.items():
            run = self._records.workitems.get(run_id)
            while run and run.superseded_by:
                newer = self._records.workitems.get(run.superseded_by)
                run = newer if newer and newer.inputs == run.inputs else None
            if run:
                found[name] = run
        return found

    def _has_findings(self, item: Workitem) -> bool:
        ended = item.state in UNFINISHED or item.state in WITHOUT_RESULT
        if ended or item.failure is not None or item.findings is None:
            return False
        return refusal_in(item.findings) is None and (self._folder(item.id) / FILES[0]).exists()

    def parts(self, item: Workitem) -> dict[str, list[Part]]:
        """The files that hold the findings which `item` is given, by the name of the input."""
        return {n: [Part(self._folder(run) / f) for f in FILES] for n, run in item.used.items()}

    def modules(self, item: Workitem) -> dict[str, ModuleFacts]:
        """The modules whose findings `item` is given, by the name of the input."""
        runs = {n: self._records.workitems.get(run) for n, run in item.used.items()}
        return {
            name: ModuleFacts(run.module, run.version, run.title, run.weights_sha256)
            for name, run in runs.items()
            if run
        }
