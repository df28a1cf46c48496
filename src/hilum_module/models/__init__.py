"""Modules that are made of a folder with a model, as a framework leaves it.

Hilum has written a plan beside the model when it was added: what series it takes, and what its
numbers stand for. What is read here of the model itself is what its framework needs to run it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hilum_module import codes
from hilum_module.codes import Code
from hilum_module.errors import ModelError
from hilum_module.findings import Finding, Label, LabelMap, Measurement, Note, Segment
from hilum_module.inputs import Input
from hilum_module.series import Series
from hilum_module.volume import Volume

PLAN, MODEL = "plan.json", "model"  # in the folder of an environment
CODED = ("code", "category", "modifier", "side")  # fields of a structure


@dataclass(frozen=True)
class Structure:
    """What the voxels with one of these `numbers` are: the fields of a `Segment` but its mask."""

    numbers: tuple[int, ...]
    label: str
    code: Code
    category: Code
    colour: tuple[int, int, int]
    modifier: Code | None = None
    side: Code | None = None

    def segment(self, labels: np.ndarray, volume: Volume) -> Segment:
        """The structure in `labels`: a number for each voxel, or a mask for each channel."""
        mask = np.zeros(volume.array.shape, bool)
        if labels.ndim == 3:
            mask |= np.isin(labels, self.numbers)
        for number in self.numbers if labels.ndim == 4 else ():
            mask |= labels[number] > 0
        return Segment(volume.with_array(mask), *self._about)

    @property
    def line(self) -> Label:
        """The structure in the table of a label map."""
        return Label(self.numbers[0], *self._about)

    @property
    def _about(self) -> tuple[Any, ...]:
        """What a segment and a line of a table say of it, in their order."""
        return self.code, self.label, self.modifier, self.side, self.category, self.colour


@dataclass(frozen=True)
class Plan:
    """What a module says of itself, and what Hilum has read of its model and its card."""

    name: str
    version: str
    title: str
    needs: Input
    structures: tuple[Structure, ...]
    notes: tuple[str, ...]
    options: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Plan:
        """The plan that Hilum has written into `folder`."""
        values = json.loads((folder / PLAN).read_text())
        values["needs"] = Input(**values["needs"])
        values["structures"] = tuple(map(_structure, values["structures"]))
        values["notes"] = tuple(values["notes"])
        return cls(**values)


def _structure(values: dict[str, Any]) -> Structure:
    coded = {key: values[key] and Code(*values[key]) for key in CODED}
    numbers, colour = tuple(values["numbers"]), tuple(values["colour"])
    return Structure(**{**values, **coded, "numbers": numbers, "colour": colour})


def _whole(labels: np.ndarray) -> np.ndarray:
    """`labels` as whole numbers; `ModelError` for those in between, such as probabilities."""
    whole: np.ndarray = np.rint(labels).astype(np.int32)
    if not np.array_equal(whole, labels):
        raise ModelError("the model gave numbers that are not whole, where labels are needed")
    return whole


class ModelModule:
    """A module of a model. A format says how the voxels of a volume are labelled."""

    plan: Plan
    model: Path
    name: str
    version: str
    title: str
    needs: Input

    @classmethod
    def with_model(cls, folder: Path) -> type[ModelModule]:
        """The module of the model and the plan in `folder`."""
        plan = Plan.read(folder)
        facts = {
            "plan": plan,
            "model": folder / MODEL,
            "name": plan.name,
            "version": plan.version,
            "title": plan.title,
            "needs": plan.needs,
        }
        return type(cls.__name__, (cls,), facts)

    def labels(self, volume: Volume) -> np.ndarray:
        """A whole number for each voxel of `volume`, or (channels, slices, rows, columns)."""
        raise NotImplementedError

    def run(self, series: Series) -> Iterator[Finding]:
        """Each structure with its volume, then what a reader must know."""
        volume = series.volume()
        labels = _whole(self.labels(volume))
        for finding in self._found(labels, volume):
            yield finding
            for each in finding.segments if isinstance(finding, LabelMap) else (finding,):
                yield Measurement(codes.VOLUME, each.volume_ml, codes.MILLILITRE, of=each)
        yield from map(Note, self.plan.notes)

    def _found(self, labels: np.ndarray, volume: Volume) -> Iterator[LabelMap | Segment]:
        """One label map, or a segment for each structure where some may share voxels.

        Raises `ValueError` where `labels` are none.
        """
        structures = self.plan.structures
        numbers = [number for structure in structures for number in structure.numbers]
        if labels.ndim == 3 and 0 in numbers:
            raise ModelError("0 is the background where each voxel has one number")
        if labels.ndim == 3 and len(numbers) == len(structures):
            array = np.where(np.isin(labels, numbers), labels, 0).astype(np.uint16)
            yield LabelMap(volume.with_array(array), tuple(each.line for each in structures))
        else:
            yield from (structure.segment(labels, volume) for structure in structures)
