"""`hilum run`: one module on a folder, no network, no records."""

import math
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydicom.dataset import Dataset

from hilum.comparison.priors import compared
from hilum.config import parse
from hilum.config.site import Rule, Worker
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import as_file
from hilum.dicom.study import Study
from hilum.dicom.uids import derived_uid
from hilum.engine import exchange
from hilum.engine.host import TRACEBACK, Job, ModelHost
from hilum.errors import ConfigurationError, HilumError, UnreadableError, where
from hilum.inbox import write_durably
from hilum.logs import silence_libraries
from hilum.module import Module, ModuleFacts, discover, facts_of, inputs_of
from hilum.objects import Analysis, write_objects
from hilum.routing import Selection, select

# a person waits for it, who can end it
UNLIMITED = Worker(timeout_seconds=math.inf, memory_mb=1 << 30)


def analyse_folder(
    module_name: str,
    folder: Path,
    output: Path,
    patterns: dict[str, str],
    networks: Path | None = None,
) -> list[dict[str, Any]]:
    """Run a module on every study below `folder`; one report per study.

    Results go to `output/study-<number>/`. A study without a matching series is a report without
    results, not an error.
    """
    silence_libraries()
    installed, problems = discover(networks)
    if module_name not in installed:
        why = problems.get(module_name, f"known: {', '.join(sorted(installed))}")
        raise ConfigurationError(f"no module {module_name!r}; {why}")
    module = installed[module_name]
    rule = _rule(module, patterns)
    studies = studies_below(folder)
    if not studies:
        raise ConfigurationError(f"{folder} holds no DICOM images")
    output.mkdir(parents=True, exist_ok=True)
    if any(output.iterdir()):  # results of several runs, or persons, must not lie side by side
        raise ConfigurationError(f"{output} is not empty: choose another folder for the results")
    earlier = [document for study in studies for document in _documents(study)]
    reports = []
    with closing(ModelHost(module_name, UNLIMITED, networks)) as host:
        for number, study in enumerate(studies, start=1):
            out = output / f"study-{number}"
            reports.append(_analyse(module, host, study, out, rule, earlier))
    return reports


def _rule(module: type[Module], patterns: Mapping[str, str]) -> Rule:
    """What `--series` says: KEYWORD=REGEX, or INPUT:KEYWORD=REGEX for modules with several."""
    inputs: dict[str, dict[str, str]] = {}
    for key, pattern in patterns.items():
        name, _, keyword = key.rpartition(":")
        if (name or "series") not in (names := inputs_of(module)):
            forms = ["KEYWORD" if n == "series" else f"{n}:KEYWORD" for n in names]
            text = f"--series {key}: for {module.name} it is {' or '.join(forms)}"
            raise ConfigurationError(text)
        inputs.setdefault(name or "series", {})[keyword] = pattern
    rule = {"module": module.name, "series": inputs.pop("series", {}), "inputs": inputs}
    try:
        return parse({"rule": [rule]}).rule[0]
    except ConfigurationError as error:
        raise ConfigurationError(re.sub(r"rule\.0\.\w+\.", "--series ", str(error))) from None


def _analyse(
    module: type[Module],
    host: ModelHost,
    study: Study,
    out: Path,
    rule: Rule,
    earlier: list[Dataset],
) -> dict[str, Any]:
    """Analyse one study; its report joins the `earlier` ones, with which later exams compare."""
    facts = facts_of(module)
    selection = select(study, inputs_of(module), rule)
    report: dict[str, Any] = {
        "study_uid": study.uid,
        "module": facts.name,
        "version": facts.version,
        "weights_sha256": facts.weights_sha256,
        "state": "not applicable",
        "verdicts": selection.reasons,
        "findings": [],
        "results": [],
    }
    if not selection.complete:
        return report
    started = time.monotonic()
    try:
        report |= _results(facts, host, study, selection, out, earlier)
    except Exception as error:  # noqa: BLE001 - around one study: it ends, the others go on
        problem = str(error) if isinstance(error, HilumError) else where(error)
        report |= {"state": "failed", "problem": problem}
    report["seconds"] = round(time.monotonic() - started, 3)
    return report


def _results(
    facts: ModuleFacts,
    host: ModelHost,
    study: Study,
    selection: Selection,
    out: Path,
    earlier: list[Dataset],
) -> dict[str, Any]:
    created = datetime.now().astimezone()
    images = {
        name: [i for series in chosen for i in series.instances]
        for name, chosen in selection.chosen.items()
    }
    files = {name: [i.path for i in instances] for name, instances in images.items()}
    out.mkdir()
    with TemporaryDirectory(dir=out) as between:  # what a module hands over is no result
        try:
            host.run(Job(files, Path(between), facts.weights_sha256))
        except BaseException:
            host.close()  # or it would go on writing there
            for traceback in Path(between).glob(TRACEBACK):
                shutil.copy(traceback, out)
            raise
        found = exchange.load(Path(between))
        pictures = exchange.load_pictures(Path(between))
    findings = compared(found, study, facts, earlier)
    uids = [i.sop_instance_uid for instances in images.values() for i in instances]
    analysis = Analysis(
        # the time is part of the identity: without records, a second run is another result
        workitem_id=derived_uid(facts.name, facts.weights_sha256, created.isoformat(), *uids),
        created=created,
        module=facts,
        study=study,
        inputs=selection.chosen,
        findings=findings,
        pictures=pictures,
        reasons=tuple(
            dict.fromkeys("; ".join(v.reasons) for v in selection.verdicts if v.accepted)
        ),
    )
    written = write_objects(analysis)
    earlier += [dataset for kind, dataset in written if kind == "sr"]
    return {
        "state": "refused" if findings.refusal else "analysed",
        "findings": exchange.summary(findings),
        "results": [_kept(kind, dataset, out) for kind, dataset in written],
    }


def _kept(kind: str, dataset: Dataset, out: Path) -> dict[str, str]:
    """Write one result object; what the report says of it."""
    number = dataset.InstanceNumber
    path = out / (f"{kind}.dcm" if number == 1 else f"{kind}-{number}.dcm")
    write_durably(path, as_file(dataset))
    return {"kind": kind, "path": str(path), "sop_instance_uid": str(dataset.SOPInstanceUID)}


def studies_below(folder: Path) -> list[Study]:
    """Every study below `folder`, in order of date, then of UID; other files are passed over."""
    instances: dict[str, list[Instance]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            instance = Instance.read(path)
        except (UnreadableError, OSError):
            continue
        instances.setdefault(instance.study_uid, []).append(instance)
    studies = [Study.of(instances[uid]) for uid in sorted(instances)]
    return sorted(studies, key=lambda study: str(study.consensus().get("StudyDate") or ""))


def _documents(study: Study) -> list[Dataset]:
    """The reports and withdrawals of ours that lie in `study`."""
    ours = [i for series in study.series for i in series.instances if i.is_own_result]
    return [i.dataset() for i in ours if i.header.get("Modality") in ("SR", "KO")]
