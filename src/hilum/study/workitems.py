"""Workitems as flow.py handles them: made from a decision, read back with images and findings."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset

from hilum.config.site import Rule
from hilum.dicom.identity import attributes
from hilum.dicom.instance import Instance
from hilum.dicom.parts import Part, read_series
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.engine import exchange
from hilum.errors import ModuleError, RemovedError
from hilum.inbox import Inbox, digest, write_durably
from hilum.module import AnyNeed, FindingsOf, Input, ModuleFacts
from hilum.objects import Analysis, Document
from hilum.pseudonyms import Pseudonyms, site_key
from hilum.records import Records
from hilum.records.models.deliveries import Delivery, WrittenResult
from hilum.records.models.workitems import Workitem
from hilum.records.own import own_results
from hilum.records.states import UNFINISHED, WorkitemKind, WorkitemState
from hilum.results import DICOM, IMAGE, Result, suffix_of
from hilum.study.arrival import Arrival
from hilum.study.assembly import Hold, NotApplicable, Run
from hilum.study.composing import Composition
from hilum.study.earlier_here import EarlierHere
from hilum.study.hours import OpenHours
from hilum.study.predecessors import contents_of, files_replaced_by, results_replaced_by
from hilum.study.routing import Selection
from hilum.study.runs import files_of, not_run_uid, repeated_uid, run_uid
from hilum.study.same_runs import SameRuns, module_of
from hilum.study.siblings import siblings_of
from hilum.wording import counted

ASKED_FOR = "a person asked for this analysis, no rule chose it"


class Workitems:
    """What belongs to workitems on disk, below the folder `data`, and how new ones are made.

    `clock` gives the time in s since 1970, `rules` are those of the site.
    """

    def __init__(
        self,
        records: Records,
        inbox: Inbox,
        data: Path,
        facts: Mapping[str, ModuleFacts],
        needs: Mapping[str, Mapping[str, AnyNeed]],
        clock: Callable[[], float] = time.time,
        rules: Collection[Rule] = (),
    ) -> None:
        self._clock = clock
        self._of_rules = frozenset(rule.key for rule in rules)
        self.hours = OpenHours(rules)
        self._needs = needs
        self._records = records
        self._inbox = inbox
        self._data = data
        self._facts = facts
        named = {
            module: {name: one for name, one in of.items() if isinstance(one, FindingsOf)}
            for module, of in needs.items()
        }
        self.composition = Composition(records, self.result_folder, named, clock, self.hours)
        self.own = own_results(records, facts.values())
        self.same = SameRuns(records, facts)
        self.earlier = EarlierHere(records, inbox, self.own, needs)

    def run(self, rule: Rule, arrival: Arrival, run: Run, of_today: bool = False) -> Workitem:
        """The workitem that analyses what was chosen: the one on record, or else a new one.

        A run that ended without a result, or whose result was taken back, before a person decided
        whose the images are, is not that run: it is one more that was taken back. `of_today`: nor
        is one of an earlier version of the module.
        """
        inputs = files_of(run.selection)
        of_rule = self._records.workitems.runs_of(arrival.study_uid, rule.key)
        used = self.composition.runs_for(arrival.study_uid, rule.module, inputs)
        priors = self.earlier.exams_for(rule, run.selection)
        runs = self.same.among(of_rule, rule, arrival, run.selection)
        runs = [item for item in runs if not of_today or self.same.is_of_today(item)]
        runs = [i for i in runs if i.used == used and self.earlier.stands(i, priors)]
        undone = [item for item in runs if self.same.is_undone(item)]
        if standing := [item for item in runs if item not in undone]:
            return standing[-1]
        module = self._facts_of(rule.module)
        workitem_id = run_uid(rule, module, run.selection.chosen, len(undone), used, priors)
        new = self._new(workitem_id, rule, arrival, run.selection)
        before = self._predecessor(arrival.study_uid, rule, of_rule)
        return replace(
            new,
            reason=run.reason,
            inputs=inputs,
            used=used,
            priors=priors,
            incomplete=run.incomplete,
            predecessor=before.id if before else None,
            at_once=before is not None and before.at_once and before.state in UNFINISHED,
        )

    def asked(self, rule: Rule, arrival: Arrival, run: Run, at: float) -> Workitem:
        """The same for what a person asks for at time `at`, whatever the rules of the site say.

        It replaces whatever the module has given of the study.
        """
        before = self.standing(arrival.study_uid, rule.module)
        new = self.run(rule, arrival, run)
        predecessor = before[-1].id if before else None
        return replace(new, rule=rule, created=at, asked=True, predecessor=predecessor)

    def standing(self, study_uid: str, module: str) -> list[Workitem]:
        """The runs of a module on a study that no other has replaced, the oldest first."""
        items = self._records.workitems.of_module(study_uid, module)
        return [item for item in items if item.is_run and item.superseded_by is None]

    def _predecessor(
        self, study_uid: str, rule: Rule, of_rule: Collection[Workitem]
    ) -> Workitem | None:
        """What a new run of `rule` replaces: its last run, or the last one of no rule of today.

        The latter is a run that a person asked for, or of a rule that was changed since.
        """
        current = [item for item in of_rule if item.superseded_by is None]
        if not current:
            others = self.standing(study_uid, rule.module)
            current = [item for item in others if item.rule_key not in self._of_rules]
        return current[-1] if current else None

    def not_run(self, rule: Rule, arrival: Arrival, why: Hold | NotApplicable) -> Workitem:
        """The workitem that records why a module was not run."""
        state = WorkitemState.HELD if isinstance(why, Hold) else WorkitemState.NOT_APPLICABLE
        new = self._new(not_run_uid(arrival.study_uid, rule), rule, arrival, why.selection)
        return replace(new, kind=WorkitemKind.NOT_RUN, state=state, reason=why.reason)

    def _new(
        self, workitem_id: str, rule: Rule, arrival: Arrival, selection: Selection
    ) -> Workitem:
        module = self._facts_of(rule.module)
        return Workitem(
            id=workitem_id,
            kind=WorkitemKind.RUN,
            study_uid=arrival.study_uid,
            module=module.name,
            version=module.version,
            title=module.title,
            weights_sha256=module.weights_sha256,
            rule=rule,
            rule_key=rule.key,
            state=WorkitemState.SCHEDULED,
            reason="",
            created=self._clock(),
            inputs={},
            siblings=siblings_of(arrival.instances.values(), selection),
            verdicts=selection.verdicts,
        )

    def repeated(
        self, item: Workitem, at: float, why: str, used: Mapping[str, str] | None = None
    ) -> Workitem:
        """A new workitem, made at time `at`, on the same images with today's module.

        It is given the findings of the runs `used`, where these are others now, and those of its
        earlier exams that are still here. Raises `ModuleError` where the module cannot be used.
        """
        module = self._facts_of(item.module)
        if used == item.used:
            used = None
        here = self.earlier.still_here(item)
        priors = None if here == item.priors else here
        return replace(
            item,
            id=repeated_uid(item.id, module, used, priors),
            used=item.used if used is None else used,
            priors=here,
            version=module.version,
            title=module.title,
            weights_sha256=module.weights_sha256,
            state=WorkitemState.SCHEDULED,
            reason=why,
            created=at,
            launch=0,
            runs=0,
            failure=None,
            predecessor=item.id,
            superseded_by=None,
            findings=None,
        )

    def _facts_of(self, module: str) -> ModuleFacts:
        if module not in self._facts:
            raise ModuleError(f"the module {module} cannot be used: `hilum modules` says why")
        return self._facts[module]

    def parts(self, item: Workitem) -> dict[str, list[Part]]:
        """The analysed files, and which of their frames, by input name."""
        folder = self._inbox.study_folder(item.study_uid)
        return {
            name: [Part.parse(part, folder) for part in parts]
            for name, parts in item.inputs.items()
        }

    def given(self, item: Workitem) -> dict[str, list[Part]]:
        """All files that a run is given: of its images, of findings, and of earlier exams."""
        findings, exams = self.composition.parts(item), self.earlier.parts(item)
        return {**self.parts(item), **findings, **exams}

    def lack(self, item: Workitem) -> str:
        """Why a workitem cannot run with what it is given beside its images; "" if it can."""
        of_findings = self.composition.lack(item.module, item.used)
        return of_findings or self.earlier.lack(item.module, item.priors)

    def images(self, item: Workitem) -> list[Path]:
        """The analysed files, each once."""
        parts = (part for of_input in self.parts(item).values() for part in of_input)
        return list(dict.fromkeys(part.path for part in parts))

    def require_files(self, item: Workitem) -> None:
        """Raise `RemovedError` unless all images and results of the workitem are still here."""
        folder = self._inbox.study_folder(item.study_uid)
        files = set(self.images(item))
        files |= {folder / name for name in item.siblings}
        results = self._records.results.of_workitem(item.id)
        files |= {self._data / result.path for result in results}
        if gone := sum(not file.exists() for file in files):
            text = f"{gone} of its {counted(len(files), 'file')} are no longer here"
            if removal := self._records.studies.removal(item.study_uid):
                when = time.strftime("%F", time.localtime(removal.at))
                text = f"{text}, they were removed on {when}: {removal.reason}"
            raise RemovedError(text)

    def result_folder(self, workitem_id: str) -> Path:
        """Where the findings and result objects of a workitem lie."""
        return self._data / "results" / workitem_id

    def study(self, item: Workitem) -> Study:
        """One image of each series and patient of the study: enough to say whose it is."""
        folder = self._inbox.study_folder(item.study_uid)
        return Study.of([Instance.read(folder / file) for file in item.siblings])

    def series_of_study(self, item: Workitem) -> frozenset[str]:
        """Series Instance UIDs of the images of the study, as far as they had come."""
        folder = self._inbox.study_folder(item.study_uid)
        return frozenset(Instance.read(folder / file).series_uid for file in item.siblings)

    def patient_and_study(self, item: Workitem) -> Dataset:
        """The patient and study attributes of the analysed images."""
        analysed = {path.name for path in self.images(item)}
        images = self.study(item).instances
        mine = [image for image in images if image.path.name in analysed]
        return attributes(mine, [image for image in images if image not in mine])

    def analysis(self, item: Workitem) -> Analysis:
        """The workitem with its images and findings, as the object writers want it."""
        inputs = {
            name: tuple(self._as_given(item, name, series) for series in read_series(parts))
            for name, parts in self.parts(item).items()
        }
        chosen = ("; ".join(v.reasons) for v in item.verdicts if v.accepted)
        asked = (ASKED_FOR,) if item.asked else ()
        lacks = (verdict.lacks for verdict in item.verdicts)
        before = results_replaced_by(self._records, item)
        return Analysis(
            workitem_id=item.id,
            created=datetime.fromtimestamp(item.created).astimezone(),
            module=module_of(item),
            study=self.study(item),
            inputs=inputs,
            findings=exchange.load(self.result_folder(item.id)),
            reasons=(*asked, *dict.fromkeys(chosen)),
            incomplete=item.incomplete,
            parameters=item.rule.parameters,
            used=self.composition.modules(item),
            priors=self.earlier.given(item),
            left_out=tuple(dict.fromkeys(filter(None, lacks))),
            pictures=exchange.load_pictures(self.result_folder(item.id)),
            predecessor=tuple(
                (r.sop_class_uid, r.identity) for r in before if r.media_type == DICOM
            ),
            replaced=contents_of(self._data, files_replaced_by(self._records, item)),
            pseudonyms=lambda: Pseudonyms(site_key(self._data)),
        )

    def _as_given(self, item: Workitem, name: str, series: Series) -> Series:
        """`series` as the module received it: one that is tilted was chosen to be straightened."""
        need = self._needs.get(item.module, {}).get(name)
        is_volume = need.volume if isinstance(need, Input) else item.rule.tilt == "resample"
        return series.straightened if is_volume else series

    def results_for(self, delivery: Delivery) -> list[Result]:
        """The results to send to a destination, as decided then, whatever its settings say now."""
        item = self._records.workitems.one(delivery.workitem_id)
        self.require_files(item)
        written = self._records.results.of_variant(item.id, delivery.variant)
        results = [
            Result(
                one.kind,
                one.media_type,
                one.identity,
                self._data / one.path,
                item.study_uid,
                item.id,
            )
            for one in written
        ]
        if not delivery.images:
            return results
        images = [
            Result(IMAGE, DICOM, image.sop_instance_uid, image.path, item.study_uid, item.id)
            for image in map(Instance.read, self.images(item))
        ]
        return [*images, *results]

    def keep(self, workitem_id: str, document: Document, variant: str) -> None:
        """Put one result object on the disk and on record."""
        name = f"{document.kind}-{digest(document.identity)}{suffix_of(document.media_type)}"
        path = self.result_folder(workitem_id) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, document.encoded)
        self._records.results.add(
            WrittenResult(
                document.identity,
                variant,
                workitem_id,
                document.kind,
                document.media_type,
                document.sop_class_uid,
                path.relative_to(self._data),
            )
        )
