"""`hilum run`: one module on a folder, no network, no records."""

import time
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydicom.dataset import Dataset

from hilum.comparison.priors import compared
from hilum.config import parse
from hilum.config.site import Rule
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import as_file
from hilum.dicom.study import Study
from hilum.dicom.uids import derived_uid
from hilum.engine import exchange
from hilum.engine.host import Job, run_here
from hilum.errors import ConfigurationError, UnreadableError
from hilum.inbox import write_durably
from hilum.logs import silence_libraries
from hilum.module import Module, discover, facts_of, inputs_of
from hilum.objects import Analysis, write_objects
from hilum.routing import select


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
    module = installed[module_name]()
    try:
        rule = parse({"rule": [{"module": module.name, "series": patterns}]}).rule[0]
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace("rule.0.series.", "--series ")) from None
    studies = studies_below(folder)
    earlier = [document for study in studies for document in _documents(study)]
    reports = [
        _analyse(module, study, output / f"study-{number}", rule, earlier)
        for number, study in enumerate(studies, start=1)
    ]
    if not reports:
        raise ConfigurationError(f"{folder} holds no DICOM images")
    return reports


def _analyse(
    module: Module, study: Study, out: Path, rule: Rule, earlier: list[Dataset]
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
    started, created = time.monotonic(), datetime.now().astimezone()
    images = {
        name: [i for series in chosen for i in series.instances]
        for name, chosen in selection.chosen.items()
    }
    files = {name: [i.path for i in instances] for name, instances in images.items()}
    with TemporaryDirectory() as between:  # what a module hands over is no result
        found = run_here(module, Job(files, Path(between), facts.weights_sha256))
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
    report["results"] = [_kept(kind, dataset, out) for kind, dataset in written]
    report["state"] = "refused" if findings.refusal else "analysed"
    report["findings"] = exchange.summary(findings)
    report["seconds"] = round(time.monotonic() - started, 3)
    return report


def _kept(kind: str, dataset: Dataset, out: Path) -> dict[str, str]:
    """Write one result object; what the report says of it."""
    number = dataset.InstanceNumber
    out.mkdir(parents=True, exist_ok=True)
    path = out / (f"{kind}.dcm" if number == 1 else f"{kind}-{number}.dcm")
    write_durably(path, as_file(dataset))
    return {"kind": kind, "path": str(path), "sop_instance_uid": str(dataset.SOPInstanceUID)}


def studies_below(folder: Path) -> list[Study]:
    """Every study below `folder`, in order of date, then of UID; other files are passed over."""
    instances: dict[str, list[Instance]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            instance = Instance.read(path)
        except UnreadableError:
            continue
        instances.setdefault(instance.study_uid, []).append(instance)
    studies = [Study.of(instances[uid]) for uid in sorted(instances)]
    return sorted(studies, key=lambda study: str(study.consensus().get("StudyDate") or ""))


def _documents(study: Study) -> list[Dataset]:
    """The reports and withdrawals of ours that lie in `study`."""
    ours = [i for series in study.series for i in series.instances if i.is_own_result]
    return [i.dataset() for i in ours if i.header.get("Modality") in ("SR", "KO")]
