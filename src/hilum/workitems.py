"""Workitems as flow.py handles them: made from a decision, read back with images and findings."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from hilum.arrivals import DECIDED
from hilum.assembly import Arrival
from hilum.config.site import Rule
from hilum.dicom.identity import attributes
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import as_file
from hilum.dicom.parts import Part, read_series
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.engine import exchange
from hilum.errors import RemovedError
from hilum.inbox import Inbox, digest, write_durably
from hilum.module import Input, ModuleFacts, Need
from hilum.objects import Analysis
from hilum.records import Records, tables
from hilum.records.states import State
from hilum.routing import Selection
from hilum.runs import run_uid
from hilum.wording import counted


class Workitems:
    """Rows of the workitem table and what belongs to them on disk, below the folder `data`."""

    def __init__(
        self,
        records: Records,
        inbox: Inbox,
        data: Path,
        facts: Mapping[str, ModuleFacts],
        needs: Mapping[str, Mapping[str, Need]],
    ) -> None:
        self._needs = needs
        self._records = records
        self._inbox = inbox
        self._data = data
        self._facts = facts

    def same_run(
        self,
        rule: Rule,
        arrival: Arrival,
        selection: Selection,
        inputs: Mapping[str, list[str]],
    ) -> tuple[str, bool]:
        """The id of the run that `selection` asks for, and whether there was none such so far.

        A run that ended without a result, or whose result was taken back, before a person decided
        whose the images are, is not that run: it is one more that was taken back.
        """
        rows = self._runs_on(rule, arrival, selection, inputs)
        before = [row for row in rows if self._is_undone(row)]
        if len(before) < len(rows):
            [*_, standing] = (row for row in rows if row not in before)
            return str(standing["id"]), False
        module = self._facts[rule.module]
        return run_uid(rule, module, selection.chosen, len(before)), True

    def _runs_on(
        self,
        rule: Rule,
        arrival: Arrival,
        selection: Selection,
        inputs: Mapping[str, list[str]],
    ) -> list[tables.Row]:
        """The workitems, oldest first, of the same module on the same images of the same patient.

        They are found by what they are: an earlier version of Hilum may have named them otherwise.
        """
        module = self._facts[rule.module]
        rows = self._records.find(
            tables.workitem,
            study_uid=arrival.study_uid,
            rule_key=rule.key,
            version=module.version,
            weights_sha256=module.weights_sha256,
            order_by="created",
        )
        labels = {image.path.name: image.label for image in selection.images.values()}
        return [
            row
            for row in rows
            if row["inputs"] == inputs
            and row["rule"].get("tilt", rule.tilt) == rule.tilt
            and self._is_of(row, labels)
        ]

    def _is_undone(self, row: tables.Row) -> bool:
        """Whether it ended without a standing result before it was decided whose its images are."""
        if State(row["state"]) not in (State.WITHDRAWN, State.CANCELLED, State.FAILED):
            return False
        latest: dict[str, Any] = {"order_by": "-id", "limit": 1}
        decided = {"study_uid": row["study_uid"], "kind": DECIDED}
        ended = {"workitem_id": row["id"], "kind": row["state"]}
        decisions = self._records.find(tables.event, **latest, **decided)
        ends = self._records.find(tables.event, **latest, **ended)
        return bool(decisions and ends and ends[0]["id"] < decisions[0]["id"])

    def _is_of(self, row: tables.Row, labels: Mapping[str, str]) -> bool:
        """Whether the images of a workitem were called then as `labels` says that they are now."""
        subjects = self._records.find(tables.subject, workitem_id=row["id"])
        return all(labels.get(s["image"], s["label"]) == s["label"] for s in subjects)

    def new_row(
        self, workitem_id: str, rule: Rule, arrival: Arrival, selection: Selection
    ) -> tables.Row:
        """What every new workitem records, whether its module runs or not."""
        module = self._facts[rule.module]
        return {
            "id": workitem_id,
            "study_uid": arrival.study_uid,
            "module": module.name,
            "version": module.version,
            "title": module.title,
            "weights_sha256": module.weights_sha256,
            "rule": rule.model_dump(mode="json"),
            "rule_key": rule.key,
            "created": time.time(),
            "siblings": _witnesses(arrival.instances.values(), selection),
            "verdicts": [vars(verdict) for verdict in selection.verdicts],
        }

    def last_run(self, study_uid: str, rule: Rule) -> str | None:
        """The newest workitem of this rule and study that ran or will run."""
        rows = self._records.find(
            tables.workitem, study_uid=study_uid, rule_key=rule.key, order_by="created"
        )
        runs = [row["id"] for row in rows if row["inputs"]]
        return runs[-1] if runs else None

    def parts(self, row: tables.Row) -> dict[str, list[Part]]:
        """The analysed files, and which of their frames, by input name."""
        folder = self._inbox.study_folder(row["study_uid"])
        return {
            name: [Part.parse(part, folder) for part in parts]
            for name, parts in row["inputs"].items()
        }

    def images(self, row: tables.Row) -> list[Path]:
        """The analysed files, each once."""
        parts = (part for of_input in self.parts(row).values() for part in of_input)
        return list(dict.fromkeys(part.path for part in parts))

    def require_files(self, row: tables.Row) -> None:
        """Raise `RemovedError` unless all images and results of the workitem are still here."""
        folder = self._inbox.study_folder(row["study_uid"])
        files = set(self.images(row))
        files |= {folder / name for name in row["siblings"]}
        results = self._records.find(tables.result, workitem_id=row["id"])
        files |= {Path(result["path"]) for result in results}
        if gone := sum(not file.exists() for file in files):
            text = f"{gone} of its {counted(len(files), 'file')} are no longer here"
            for removal in self._records.find(tables.removal, study_uid=row["study_uid"]):
                when = time.strftime("%F", time.localtime(removal["at"]))
                text = f"{text}, they were removed on {when}: {removal['reason']}"
            raise RemovedError(text)

    def result_folder(self, workitem_id: str) -> Path:
        """Where the findings and result objects of a workitem lie."""
        return self._data / "results" / workitem_id

    def study(self, row: tables.Row) -> Study:
        """One image of each series and patient of the study: enough to say whose it is."""
        folder = self._inbox.study_folder(row["study_uid"])
        return Study.of([Instance.read(folder / file) for file in row["siblings"]])

    def patient_and_study(self, row: tables.Row) -> Dataset:
        """Those attributes of the analysed images."""
        analysed = {path.name for path in self.images(row)}
        images = self.study(row).instances
        mine = [image for image in images if image.path.name in analysed]
        return attributes(mine, [image for image in images if image not in mine])

    def analysis(self, row: tables.Row) -> Analysis:
        """The workitem with its images and findings, as the object writers want it."""
        inputs = {
            name: tuple(self._as_given(row, name, series) for series in read_series(parts))
            for name, parts in self.parts(row).items()
        }
        before = self._results_replaced_by(row)
        return Analysis(
            workitem_id=row["id"],
            created=datetime.fromtimestamp(row["created"]).astimezone(),
            module=module_of(row),
            study=self.study(row),
            inputs=inputs,
            findings=exchange.load(self.result_folder(row["id"])),
            reasons=tuple(
                dict.fromkeys("; ".join(v["reasons"]) for v in row["verdicts"] if v["accepted"])
            ),
            incomplete=row["incomplete"],
            left_out=tuple(dict.fromkeys(filter(None, (v.get("lacks") for v in row["verdicts"])))),
            pictures=exchange.load_pictures(self.result_folder(row["id"])),
            predecessor=tuple((r["sop_class_uid"], r["sop_instance_uid"]) for r in before),
        )

    def _as_given(self, row: tables.Row, name: str, series: Series) -> Series:
        """`series` as the module received it: one that is tilted was chosen to be straightened."""
        need = self._needs.get(row["module"], {}).get(name)
        is_volume = (
            need.volume if isinstance(need, Input) else row["rule"].get("tilt") == "resample"
        )
        return series.straightened if is_volume else series

    def files_for(self, workitem_id: str, destination: str) -> list[Path]:
        """What was decided to send to `destination`, whatever its settings say by now."""
        delivery = self._records.one(
            tables.delivery, workitem_id=workitem_id, destination=destination
        )
        results = self._records.find(
            tables.result, workitem_id=workitem_id, variant=delivery["variant"]
        )
        row = self._records.one(tables.workitem, id=workitem_id)
        self.require_files(row)
        files = [Path(row["path"]) for row in results]
        if delivery["images"]:
            files = self.images(row) + files
        return files

    def keep(self, workitem_id: str, kind: str, dataset: Dataset, variant: str) -> None:
        """Put one result object on the disk and on record."""
        name = f"{kind}-{digest(dataset.SOPInstanceUID)}.dcm"
        path = self.result_folder(workitem_id) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, as_file(dataset))
        self._records.put(
            tables.result,
            sop_instance_uid=str(dataset.SOPInstanceUID),
            variant=variant,
            workitem_id=workitem_id,
            kind=kind,
            sop_class_uid=str(dataset.SOPClassUID),
            path=str(path),
        )

    def _results_replaced_by(self, row: tables.Row) -> list[tables.Row]:
        """The results of the nearest predecessor that has any; a cancelled one has none.

        None of one that was taken back: the note in the archive says what became of it.
        """
        while row["predecessor"]:
            row = self._records.one(tables.workitem, id=row["predecessor"])
            if row["state"] == State.WITHDRAWN:
                return []
            if results := self._records.find(tables.result, workitem_id=row["id"]):
                return results
        return []


def _witnesses(images: Iterable[Instance], selection: Selection) -> list[str]:
    """Files of one image of each series and patient, an analysed one where there is one."""
    images = [*selection.images.values(), *images]
    seen = {(i.series_uid, i.patient): i.path.name for i in reversed(images) if not i.is_own_result}
    return sorted(seen.values())


def module_of(row: tables.Row) -> ModuleFacts:
    """What made, or will make, the result of a workitem."""
    return ModuleFacts(row["module"], row["version"], row["title"], row["weights_sha256"])
