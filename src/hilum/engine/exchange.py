"""Findings and pictures on disk: so they pass from a module to the writers and survive restarts."""

import io
import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, assert_never

import numpy as np
from highdicom import Volume
from pydicom.sr.coding import Code

from hilum.findings import (
    Change,
    Classification,
    Earlier,
    Finding,
    Findings,
    HeatMap,
    Measurement,
    Note,
    Refusal,
    Score,
    Segment,
    image_of,
)
from hilum.inbox import write_durably
from hilum.summary import (
    ChangeSummary,
    ClassificationSummary,
    HeatMapSummary,
    MeasurementSummary,
    NoteSummary,
    RefusalSummary,
    SegmentSummary,
    Summary,
)

FINDINGS = "findings.json"
ARRAYS = "arrays.npz"
PICTURES = "pictures.npz"


def save(findings: Findings, folder: Path) -> None:
    """Write `findings` to `folder`, arrays first, so that a readable JSON means all is there."""
    arrays: dict[str, np.ndarray] = {}
    items = []
    for index, finding in enumerate(findings.items):
        item = _as_json(finding, findings)
        if isinstance(finding, Segment):
            arrays[f"{index}.mask"], arrays[f"{index}.box"] = _packed(finding.mask.array)
            arrays[f"{index}.affine"] = finding.mask.affine
        elif isinstance(finding, HeatMap):
            arrays[f"{index}.values"] = finding.values
            if finding.region is not None:
                arrays[f"{index}.region"] = finding.region
        items.append(item)
    buffer = io.BytesIO()
    # Not compressed: that took longer for the heat map of one film than the network itself.
    np.savez(buffer, allow_pickle=False, **arrays)
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / ARRAYS, buffer.getvalue())
    write_durably(folder / FINDINGS, json.dumps(items, indent=1).encode())


def load(folder: Path) -> Findings:
    """Read what `save` wrote."""
    items: list[Finding] = []
    with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
        for index, item in enumerate(json.loads((folder / FINDINGS).read_text())):
            kind = item.pop("kind")
            if kind == "Segment":
                frame = item.pop("frame_of_reference_uid")
                item["mask"] = Volume(
                    _unpacked(arrays[f"{index}.mask"], arrays[f"{index}.box"]),
                    affine=arrays[f"{index}.affine"],
                    coordinate_system="PATIENT",
                    frame_of_reference_uid=frame,
                )
                item["colour"] = tuple(item["colour"])
            elif kind == "HeatMap":
                item["values"] = arrays[f"{index}.values"]
                item["region"] = arrays.get(f"{index}.region")
            elif kind == "Measurement":
                item["of"] = None if item["of"] is None else items[item["of"]]
            elif kind == "Change":
                item["of"] = items[item["of"]]
                item["day"] = date.fromisoformat(item["day"])
                item["earlier"] = tuple(_earlier(exam) for exam in item["earlier"])
            elif kind == "Classification":
                item["scores"] = tuple(_score(score) for score in item["scores"])
                item["outcome"] = item["outcome"] and _score(item["outcome"])
            for name, value in item.items():
                if isinstance(value, dict) and value.keys() == {"code"}:
                    item[name] = Code(*value["code"])
            items.append(_KINDS[kind](**item))
    return Findings(tuple(items))


def _packed(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bits of the smallest box that holds all of `mask`, and its first, end and whole size.

    A hippocampus fills a thousandth of a head: the masks of one were tens of megabytes.
    """
    box: list[slice] = []
    for axis in range(mask.ndim):
        part = mask[tuple(box)]  # already cut along the axes before, so only the first one is long
        others = tuple(other for other in range(mask.ndim) if other != axis)
        filled = np.flatnonzero(part.any(others))
        box.append(slice(filled[0], filled[-1] + 1) if filled.size else slice(0, 0))
    sides = [[side.start for side in box], [side.stop for side in box], mask.shape]
    return np.packbits(mask[tuple(box)]), np.array(sides)


def _unpacked(bits: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The mask that `_packed` was given."""
    first, end, shape = box
    mask = np.zeros(shape, bool)
    size = end - first
    inside = np.unpackbits(bits, count=int(size.prod())).reshape(size)
    mask[tuple(map(slice, first, end))] = inside
    return mask


def save_pictures(pictures: Mapping[str, np.ndarray], folder: Path) -> None:
    """Write the pictures of films, by SOP Instance UID, to `folder`."""
    buffer = io.BytesIO()
    arrays = {str(number): picture for number, picture in enumerate(pictures.values())}
    np.savez(buffer, allow_pickle=False, uids=np.array(list(pictures), str), **arrays)
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / PICTURES, buffer.getvalue())


def load_pictures(folder: Path) -> dict[str, np.ndarray]:
    """Read what `save_pictures` wrote; nothing if the run ended before."""
    if not (folder / PICTURES).exists():
        return {}
    with np.load(folder / PICTURES, allow_pickle=False) as arrays:
        return {str(uid): arrays[str(number)] for number, uid in enumerate(arrays["uids"])}


def summary(findings: Findings) -> tuple[Summary, ...]:
    """The findings without arrays, for records, traces and `--json`."""
    return tuple(map(_summary, findings.items))


def _summary(finding: Finding) -> Summary:
    image = image_of(finding)
    match finding:
        case Measurement():
            return MeasurementSummary(
                what=finding.code.meaning,
                value=finding.value,
                unit=finding.unit.value,
                of=finding.of.name if finding.of else None,
                uncertainty=finding.uncertainty,
                followed=finding.followed,
                image=image,
            )
        case Change():
            return ChangeSummary(
                of=finding.of.label,
                since=finding.latest.day.isoformat(),
                value=finding.difference,
                unit=finding.of.unit.value,
                uncertainty=finding.difference_uncertainty,
                percent_per_year=finding.percent_per_year,
                percent_per_year_uncertainty=finding.percent_per_year_uncertainty,
                image=image,
            )
        case Segment():
            voxels = int(finding.mask.array.sum())
            return SegmentSummary(finding.name, voxels, finding.volume_ml, image)
        case Classification():
            return _classification(finding)
        case HeatMap():
            return HeatMapSummary(finding.label, image)
        case Refusal():
            return RefusalSummary(finding.code, finding.sentence, image)
        case Note():
            return NoteSummary(finding.sentence, finding.caution, image)
    assert_never(finding)


def _classification(finding: Classification) -> ClassificationSummary:
    outcome = finding.outcome.label if finding.outcome else "indeterminate"
    scores = ", ".join(f"{score.label} {score.value:.2f}" for score in finding.scores)
    return ClassificationSummary(
        outcome=outcome,
        text=f"{outcome} ({scores}). {finding.basis}",
        basis=finding.basis,
        scores={score.label: score.value for score in finding.scores},
        image=finding.image,
    )


_KINDS: dict[str, Callable[..., Finding]] = {
    kind.__name__: kind
    for kind in (Segment, Measurement, Change, Classification, HeatMap, Refusal, Note)
}


def _as_json(finding: Finding, findings: Findings) -> dict[str, Any]:
    item: dict[str, Any] = {"kind": type(finding).__name__}
    for name, value in vars(finding).items():
        if isinstance(value, Code):
            item[name] = {"code": [value.value, value.scheme_designator, value.meaning]}
        elif isinstance(value, Score):
            item[name] = _score_as_json(value)
        elif name == "scores":
            item[name] = [_score_as_json(score) for score in value]
        elif isinstance(value, Volume):
            item["frame_of_reference_uid"] = value.frame_of_reference_uid
        elif isinstance(value, Segment | Measurement):
            item[name] = findings.items.index(value)
        elif isinstance(value, date):
            item[name] = value.isoformat()
        elif name == "earlier":
            item[name] = [{**vars(exam), "day": exam.day.isoformat()} for exam in value]
        elif name not in ("values", "region", "volume_mm3"):
            item[name] = value
    return item


def _earlier(item: dict[str, Any]) -> Earlier:
    return Earlier(**{**item, "day": date.fromisoformat(item["day"])})


def _score_as_json(score: Score) -> dict[str, Any]:
    code = [score.code.value, score.code.scheme_designator, score.code.meaning]
    return {"code": code, "label": score.label, "value": score.value}


def _score(item: dict[str, Any]) -> Score:
    return Score(Code(*item["code"]), item["label"], item["value"])
