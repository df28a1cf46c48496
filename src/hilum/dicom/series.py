"""A series: its instances in spatial order, and its voxels as one volume."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from highdicom import Volume
from pydicom.pixels.processing import apply_rescale

from hilum.dicom.geometry import Stack, stack_of, volume_affine
from hilum.dicom.header import Header
from hilum.dicom.instance import Instance
from hilum.dicom.pixels import StoredFrames, require_size
from hilum.errors import NoVolumeError


@dataclass(frozen=True)
class Series:
    """The instances of one Series Instance UID, one or more, in spatial order if they have it."""

    instances: tuple[Instance, ...]

    @classmethod
    def of(cls, instances: Sequence[Instance]) -> "Series":
        """Sort `instances` (all of one series): by position, else by Instance Number."""
        numbered = sorted(
            instances, key=lambda i: (i.header.integer("InstanceNumber") or 0, i.sop_instance_uid)
        )
        stack = stack_of(numbered)
        return cls(tuple(numbered[index] for index in stack.order))

    @property
    def uid(self) -> str:
        return self.instances[0].series_uid

    @property
    def study_uid(self) -> str:
        return self.instances[0].study_uid

    @property
    def header(self) -> Header:
        """The header of the first instance, for attributes that hold for the whole series."""
        return self.instances[0].header

    @property
    def modality(self) -> str:
        return self.header.text("Modality", 16)

    @property
    def description(self) -> str:
        return self.header.text("SeriesDescription")

    @cached_property
    def stack(self) -> Stack:
        """Spacing, gaps and regularity of the slices."""
        return stack_of(self.instances)

    def volume(self) -> Volume:
        """Voxels after the Modality LUT: float32 (slices, rows, columns), affine to LPS mm.

        Raises `NoVolumeError` if the slices are not evenly spaced, or some are missing.
        """
        if self.stack.problem or self.stack.spacing is None:
            raise NoVolumeError(f"series forms no volume: {self.stack.problem}")
        require_size(len(self.instances), *(self.instances[0].size or (0, 0)))
        slices = []
        for instance in self.instances:
            with StoredFrames(instance.path) as stored:
                slices.append(apply_rescale(stored.frame(), stored.header).astype(np.float32))
        return Volume(
            np.stack(slices),
            affine=volume_affine(self.instances, self.stack.spacing),
            coordinate_system="PATIENT",
            frame_of_reference_uid=self.header.get("FrameOfReferenceUID"),
        )


def _number_and_uid(instance: Instance) -> tuple[int, str]:
    return instance.header.integer("InstanceNumber") or 0, instance.sop_instance_uid
