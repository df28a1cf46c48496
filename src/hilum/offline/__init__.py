"""`hilum run`: one module on a folder, no network, no records."""

import math
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydicom.dataset import Dataset

from hilum.comparison.priors import compared
from hilum.config import parse
from hilum.config.fields import toml_value
from hilum.config.kinds import Encoding, HostSettings
from hilum.config.site import Rule, Worker
from hilum.dicom.doubt import DIFFERENT
from hilum.dicom.header import text_of
from hilum.dicom.identity import attributes
from hilum.dicom.parts import Part
from hilum.dicom.study import Study
from hilum.engine import exchange
from hilum.errors import ConfigurationError, HilumError, where
from hilum.findings import Findings
from hilum.hosts import Host, Job, Place, in_child, open_host, usual
from hilum.hosts.discovery import discover, require_parameters
from hilum.hosts.scratch import TRACEBACK
from hilum.inbox import write_durably
from hilum.logs import silence_libraries
from hilum.module import (
    Module,
    ModuleFacts,
    earlier_for,
    facts_of,
    findings_for,
    inputs_of,
    own_results_of,
)
from hilum.objects import Analysis, Document, write_what_can_be
from hilum.offline.reading import Progress, Reading, Remark, in_lines, read_folder, untold
from hilum.offline.report import ReportState, ResultFile, StudyReport
from hilum.results import suffix_of
from hilum.study.arrival import Arrival
from hilum.study.assembly import Hold, NotApplicable, Run, Wait, decide
from hilum.study.earlier import ChosenEarlier, earlier_of, exam_of, lack_of, parts_of
from hilum.study.routing import Selection, whose
from hilum.study.runs import run_uid

# a person waits for it, who can end it
UNLIMITED = Worker(timeout_seconds=math.inf, memory_mb=1 << 30)
NO_STUDY = ""  # stands for the UID of what belongs to none
_STATES = {
    Run: ReportState.ANALYSED,
    Hold: ReportState.HELD,
    NotApplicable: ReportState.NOT_APPLICABLE,
}


def analyse_folder(
    module_name: str,
    folder: Path,
    output: Path,
    patterns: dict[str, str],
    models: Path | None = None,
    progress: Progress = untold,
    tilt: str = "refuse",
    parameters: Mapping[str, str] | None = None,
    folders: Sequence[Path] = (),
    host: HostSettings | None = None,
    segmentation: Encoding = "binary",
) -> list[StudyReport]:
    """Run a module on every study below `folder`; one report per study, the oldest first.

    Results go to `output/study-<number>/`. A study without a matching series is a report without
    results, not an error. Files that belong to no study with images make one more report, the
    first, in the state "passed over". `progress` is told how far each step is. `tilt` and
    `parameters` as in a rule, the values as they stand in a settings file. `folders` are those that
    the module may use beside its own files, as in a `[[host]]`; `host` is the whole of one, for a
    module that does not run by the usual settings. `segmentation` as in `write_objects`.
    """
    silence_libraries()
    # on the machine of whoever tries the module: what it prints is seen
    given = host or in_child(module_name, walls="best-effort", folders=folders)
    place = Place(UNLIMITED, models, shows_output=True, hosts=(given,))
    installed, problems = discover(place)
    if module_name not in installed:
        known = f"known: {', '.join(sorted(installed))}"
        if models is None:
            known += "; name the folder of your models by --models, or your settings by --config"
        raise ConfigurationError(f"no module {module_name!r}; {problems.get(module_name, known)}")
    module = installed[module_name]
    if named := [one.module for one in findings_for(module).values() if not one.optional]:
        raise ConfigurationError(
            f"module {module_name!r} needs what {', '.join(named)} has found on the same images;"
            " `hilum run` runs one module alone: run it by a rule of `hilum serve`"
        )
    settings = host or usual(module_name, place, walls="best-effort", folders=folders)
    rule = _rule(module, patterns, tilt, parameters or {})
    require_parameters(module, rule.parameters, place)
    if output.exists() and any(output.iterdir()):
        # results of several runs, or persons, must not lie side by side
        raise ConfigurationError(f"{output} is not empty: choose another folder for the results")
    with TemporaryDirectory() as put_right:
        reading = read_folder(folder, Path(put_right), progress, own_results_of(installed.values()))
        if not any(arrival.last_of_series for arrival in reading.studies):
            lines = [f"{folder} holds no DICOM images", *in_lines(reading.remarks, folder)]
            raise ConfigurationError("; ".join(lines))
        output.mkdir(parents=True, exist_ok=True)
        with closing(open_host(settings, place)) as opened:
            return _analyse_all(module, opened, reading, output, rule, progress, segmentation)


def _analyse_all(
    module: type[Module],
    host: Host,
    reading: Reading,
    output: Path,
    rule: Rule,
    progress: Progress,
    segmentation: Encoding,
) -> list[StudyReport]:
    exams = {a.study_uid: a for a in reading.studies if a.last_of_series}
    studies = [arrival.study() for arrival in exams.values()]
    earlier = [document for arrival in reading.studies for document in _documents(arrival)]
    facts = facts_of(module)
    empty = StudyReport("", facts.name, facts.version, facts.weights_sha256)
    reports = []
    remarks = _by_study(reading.remarks, exams)
    if NO_STUDY in remarks:
        reports.append(replace(empty, files=tuple(remarks[NO_STUDY])))
    for number, uid in enumerate(_oldest_first(exams.values()), start=1):
        decision = decide(exams[uid], inputs_of(module), rule, now=math.inf)
        assert not isinstance(decision, Wait), "nothing is waited for after infinity"
        report = replace(
            empty,
            study_uid=uid,
            state=_STATES[type(decision)],
            reason=decision.reason,
            verdicts=decision.selection.reasons,
            files=tuple(remarks.get(uid, ())),
        )
        study = exams[uid].study()
        before = earlier_of(module, rule, decision.selection.chosen, studies)
        given = [name for name, chosen in before.items() if chosen.exams]
        if isinstance(decision, Run) and (lack := lack_of(earlier_for(module), given)):
            remarks_on = (remark for chosen in before.values() for remark in chosen.remarks)
            reason = "; ".join((f"{lack}: put it into the folder, too", *remarks_on))
            report = replace(report, state=_STATES[NotApplicable], reason=reason)
        elif isinstance(decision, Run):
            out = output / f"study-{number}"
            caution = whose(decision.selection, study.instances).caution
            report = replace(report, caution=caution)
            run = partial(_analysed, report, facts, rule, host, study, decision, out)
            analyse = partial(run, before, earlier, segmentation)
            report = _contained(report, analyse)
        elif isinstance(decision, Hold):
            report = replace(report, problem=_why_held(decision, study))
        reports.append(report)
        progress("analysing", number, len(exams))
    return reports


def _why_held(decision: Hold, study: Study) -> str:
    """The reason, with the cure for a run on a folder."""
    if differ := whose(decision.selection, study.instances).within:
        cure = "put those of each patient into a folder of their own"
        return f"{DIFFERENT} ({', '.join(differ)}): {cure}"
    return decision.reason


def _oldest_first(exams: Iterable[Arrival]) -> list[str]:
    return [study.uid for study in sorted((a.study() for a in exams), key=_day_and_uid)]


def _day_and_uid(study: Study) -> tuple[str, str]:
    """The first Study Date that an image of `study` states, and the UID."""
    dates = (text_of(instance.header, "StudyDate") for instance in study.instances)
    return next(filter(None, dates), ""), study.uid


def _rule(
    module: type[Module],
    patterns: Mapping[str, str],
    tilt: str,
    parameters: Mapping[str, str],
) -> Rule:
    """What `--tilt`, `--parameter` and `--series` say.

    The last one is KEYWORD=REGEX, or INPUT:KEYWORD=REGEX of several inputs.
    """
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
        given = {name: toml_value(text) for name, text in parameters.items()}
        return parse({"rule": [{**rule, "tilt": tilt, "parameters": given}]}).rule[0]
    except ConfigurationError as error:
        ours = re.escape(f"rule {module.name}: ")
        text = re.sub(rf"{ours}tilt\b", "--tilt", str(error))
        raise ConfigurationError(re.sub(rf"{ours}\w+\.", "--series ", text)) from None


def _contained(report: StudyReport, analyse: Callable[[], StudyReport]) -> StudyReport:
    """The report of one study and how long it took; whatever goes wrong costs that study only."""
    started = time.monotonic()
    try:
        report = analyse()
    except Exception as error:  # noqa: BLE001 - around one study: it ends, the others go on
        problem = str(error) if isinstance(error, HilumError) else where(error)
        report = replace(report, state=ReportState.FAILED, problem=problem)
    return replace(report, seconds=round(time.monotonic() - started, 3))


def _by_study(remarks: Iterable[Remark], exams: Collection[str]) -> dict[str, list[Remark]]:
    """The remarks by the UID of the exam that they are about."""
    found: dict[str, list[Remark]] = {}
    for remark in remarks:
        uid = remark.study_uid if remark.study_uid in exams else NO_STUDY
        found.setdefault(uid, []).append(remark)
    return found


def _run(
    host: Host, inputs: Mapping[str, Sequence[Part]], facts: ModuleFacts, rule: Rule, out: Path
) -> tuple[Findings, dict[str, np.ndarray]]:
    """The findings and pictures of a module; where it raises, its traceback is kept in `out`."""
    with TemporaryDirectory(dir=out) as between:  # what a module hands over is no result
        try:
            host.run(Job(inputs, Path(between), facts.weights_sha256, rule.parameters))
        except BaseException:
            host.close()  # or it would go on writing there
            for traceback in Path(between).glob(TRACEBACK):
                shutil.copy(traceback, out)
            raise
        return exchange.load(Path(between)), exchange.load_pictures(Path(between))


def _reasons(selection: Selection) -> tuple[str, ...]:
    said = ("; ".join(v.reasons) for v in selection.verdicts if v.accepted)
    return tuple(dict.fromkeys(said))


def _reports(written: Iterable[Document]) -> list[Dataset]:
    contents = (document.content for document in written if document.kind == "sr")
    return [content for content in contents if isinstance(content, Dataset)]


def _analysed(
    report: StudyReport,
    facts: ModuleFacts,
    rule: Rule,
    host: Host,
    study: Study,
    decision: Run,
    out: Path,
    before: Mapping[str, ChosenEarlier],
    earlier: list[Dataset],
    segmentation: Encoding,
) -> StudyReport:
    """Analyse one study; its SR joins the `earlier` ones, with which later exams compare.

    `before` are the earlier exams that the module is given, by the name of the input.
    """
    selection = decision.selection
    about = attributes(list(selection.images.values()), study.instances)
    inputs = {
        name: [part for series in chosen for part in Part.of(series)]
        for name, chosen in selection.chosen.items()
    }
    priors = {n: tuple(map(exam_of, chosen.exams)) for n, chosen in before.items()}
    inputs |= parts_of(before)
    out.mkdir()
    found, pictures = _run(host, inputs, facts, rule, out)
    findings = compared(found, about, facts, earlier)
    analysis = Analysis(
        workitem_id=run_uid(rule, facts, selection.chosen, priors=priors),
        created=datetime.now().astimezone(),
        module=facts,
        study=study,
        inputs=selection.chosen,
        findings=findings,
        pictures=pictures,
        reasons=_reasons(selection),
        incomplete=decision.incomplete,
        parameters=rule.parameters,
        priors=priors,
    )
    lost: dict[str, str] = {}
    written = write_what_can_be(analysis, lost, segmentation=segmentation)
    earlier += _reports(written)
    return replace(
        report,
        state=ReportState.REFUSED if findings.refusal else ReportState.ANALYSED,
        findings=exchange.summary(findings),
        results=tuple(_kept(document, out) for document in written),
        problem=f"not written: {_listed(lost)}" if lost else "",
    )


def _listed(lost: Mapping[str, str]) -> str:
    return ", ".join(f"{kind} ({place})" for kind, place in lost.items())


def _kept(document: Document, out: Path) -> ResultFile:
    """Write one result object; what the report says of it."""
    name = document.kind if document.number == 1 else f"{document.kind}-{document.number}"
    path = out / f"{name}{suffix_of(document.media_type)}"
    write_durably(path, document.encoded)
    return ResultFile(document.kind, document.media_type, document.identity, path)


def _documents(arrival: Arrival) -> list[Dataset]:
    """The reports and withdrawals in a study. The comparison looks whose they are."""
    instances = arrival.instances.values()
    return [i.dataset() for i in instances if i.header.get("Modality") in ("SR", "KO")]
