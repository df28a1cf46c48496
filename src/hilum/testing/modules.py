"""The promises that every module must keep."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hilum.config.site import Rule
from hilum.dicom.instance import Instance
from hilum.dicom.parts import Part
from hilum.dicom.study import Study
from hilum.engine import exchange
from hilum.findings import Findings
from hilum.hosts import Job
from hilum.hosts.inside import run_here
from hilum.module import Module, facts_of, inputs_of
from hilum.objects import Analysis, write_what_can_be
from hilum.study.arrival import Arrival
from hilum.study.assembly import Run, decide
from hilum.study.earlier import earlier_of, parts_of
from hilum.testing.beside import as_ours
from hilum.testing.samples import CREATED

NOTHING: Mapping[str, Findings] = {}


def check_module(
    module: type[Module],
    files: Sequence[Path],
    given: Mapping[str, Findings] = NOTHING,
    earlier: Sequence[Sequence[Path]] = (),
) -> Findings:
    """Check that a module keeps the promises that results depend on; gives what it found.

    Parameters
    ----------
    module
        Its class, as the entry point names it; also one that imports `hilum_module`.
    files
        DICOM files of one study that it is made for.
    given
        The findings of other modules, by the names of the inputs for them.
    earlier
        DICOM files of each earlier exam of the same patient.
    """
    module = as_ours(module)
    with TemporaryDirectory() as folder:
        images = [Instance.read(file) for file in files]
        run = _chosen(module, images)
        beside = {**_saved(given, Path(folder)), **_of_earlier(module, run, earlier)}
        return _checked(module, images, run, beside)


def _of_earlier(
    module: type[Module], run: Run, earlier: Sequence[Sequence[Path]]
) -> dict[str, list[Part]]:
    """The files of earlier exams, as a run gets them."""
    studies = [Study.of([Instance.read(file) for file in of]) for of in earlier]
    rule = Rule(module=module.name)
    return parts_of(earlier_of(module, rule, run.selection.chosen, studies))


def _saved(given: Mapping[str, Findings], folder: Path) -> dict[str, list[Part]]:
    """The files of findings, as a run gets those of another module."""
    for name, findings in given.items():
        exchange.save(findings, folder / name)
    files = (exchange.FINDINGS, exchange.ARRAYS)
    return {name: [Part(folder / name / file) for file in files] for name in given}


def _checked(
    module: type[Module],
    images: Sequence[Instance],
    run: Run,
    given: Mapping[str, Sequence[Part]],
) -> Findings:
    facts = facts_of(module)
    loaded = module()
    inputs = {**_parts(run), **given}
    found = run_here(loaded, inputs, {})
    warm = run_here(loaded, inputs, {})
    fresh = run_here(module(), inputs, {})
    assert found.items, "it says what it found, or why it found nothing"
    analysis = Analysis(
        workitem_id="1.2.3",
        created=CREATED,
        module=facts,
        study=_arrival(images).study(),
        inputs=run.selection.chosen,
        findings=found,
    )
    documents = _contents(analysis)
    same = "gives the same result, so that a repeated run sends nothing new"
    assert documents == _contents(replace(analysis, findings=warm)), f"a second run {same}"
    assert documents == _contents(replace(analysis, findings=fresh)), f"a fresh process {same}"
    return found


def job_of(module: type[Module], files: Sequence[Path], out: Path) -> Job:
    """What a host is given to run `module` on `files`; the findings go to `out`."""
    module = as_ours(module)
    parts = _parts(_chosen(module, [Instance.read(file) for file in files]))
    return Job(parts, out, facts_of(module).weights_sha256)


def _chosen(module: type[Module], images: Sequence[Instance]) -> Run:
    decision = decide(_arrival(images), inputs_of(module), Rule(module=module.name), now=math.inf)
    assert isinstance(decision, Run), f"`needs` fits the files: {decision}"
    return decision


def _arrival(images: Sequence[Instance]) -> Arrival:
    arrival = Arrival(images[0].study_uid)
    for image in images:
        arrival.add(image, at=0.0)
    return arrival


def _parts(run: Run) -> dict[str, list[Part]]:
    chosen = run.selection.chosen
    return {name: [p for one in chosen[name] for p in Part.of(one)] for name in chosen}


def _contents(analysis: Analysis) -> list[bytes]:
    lost: dict[str, str] = {}
    contents = [document.encoded for document in write_what_can_be(analysis, lost)]
    assert not lost, f"every result object can be written: {lost}"
    return contents
