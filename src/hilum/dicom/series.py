"""A series: its frames in spatial order, and their voxels as one volume."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np
from highdicom import Volume
from pydicom.sr.coding import Code

from hilum.dicom.candidates import split
from hilum.dicom.frames import Frame
from hilum.dicom.geometry import Flaw, Stack, stack_of, volume_affine
from hilum.dicom.header import Header, text_of
from hilum.dicom.instance import Instance
from hilum.dicom.pixels import StoredFrames, require_size
from hilum.dicom.quantities import suv_factor
from hilum.dicom.text import is_valid
from hilum.dicom.tilt import Straightening
from hilum.dicom.uids import derived_uid
from hilum.dicom.values import DEFAULTS, looked_up
from hilum.errors import NoVolumeError, UnreadableError

# What is Type 1 for a modality, so that a default for it may be wrong (PS3.3 C.8.2.1, C.8.9.4).
NEEDED = {"CT": ("RescaleSlope", "RescaleIntercept"), "PT": ("RescaleSlope",)}
Reader = Callable[[Frame, StoredFrames], np.ndarray]


@dataclass(frozen=True, eq=False)
class Series:
    """Images of one Series Instance UID, one or more, in spatial order if they have it.

    What a module receives is one volume of the series: `label` tells it from the others, "" if
    there are none; `aside` says what was left out of it; `straightening` how tilted slices are laid
    on a right-angled grid, None where they need not be.
    """

    instances: tuple[Instance, ...]
    frames: tuple[Frame, ...]
    stack: Stack
    label: str = ""
    aside: tuple[str, ...] = ()
    straightening: Straightening | None = None

    @classmethod
    def of(cls, instances: Sequence[Instance]) -> "Series":
        """Everything of `instances` (all of one series): by position, else by Instance Number."""
        numbered = sorted(instances, key=lambda i: (i.number or 0, i.sop_instance_uid))
        series = cls.of_frames([frame for instance in numbered for frame in instance.frames])
        bare = tuple(i for i in numbered if not i.frames)
        return replace(series, instances=series.instances + bare) if bare else series

    @classmethod
    def of_frames(
        cls, frames: Sequence[Frame], label: str = "", aside: tuple[str, ...] = ()
    ) -> "Series":
        """The volume that `frames` form, by position, else in the order given."""
        stack = stack_of(frames)
        ordered = tuple(frames[index] for index in stack.order)
        instances = {frame.instance.sop_instance_uid: frame.instance for frame in ordered}
        stack = replace(stack, order=tuple(range(len(ordered))))
        return cls(tuple(instances.values()), ordered, stack, label, aside)

    @cached_property
    def candidates(self) -> tuple["Series", ...]:
        """The volumes that the images may form, each judged by itself; at least one."""
        found = split(self.frames)
        bare = [instance for instance in self.instances if not instance.frames]
        broken = tuple(instance for instance in bare if instance.problem)
        aside = found.aside
        if others := len(bare) - len(broken):
            aside = (*aside, f"{others} object{'s' * (others > 1)} without pixels set aside")
        if not self.frames or (len(found.volumes) == 1 and not aside):
            return (self,)
        volumes = (Series.of_frames(v.frames, v.label, aside) for v in found.volumes)
        # Nobody knows where the frames of a broken object belong: no volume is whole for certain.
        return tuple(replace(v, instances=v.instances + broken) for v in volumes)

    @cached_property
    def straightened(self) -> "Series":
        """The same on a right-angled grid, if nothing but the tilt of the gantry is in the way."""
        first = self.frames[0] if self.frames else None
        if self.stack.flaw is not Flaw.TILTED or not (first and first.size and first.pixel_spacing):
            return self
        made = Straightening.of(self.stack, first.size, first.pixel_spacing)
        stack = replace(self.stack, flaw=None, problem=None, error=0.0)
        return replace(self, stack=stack, straightening=made)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns of the volume."""
        grid = self.straightening.shape if self.straightening else self.frames[0].size
        rows, columns = grid or (0, 0)
        return len(self.frames), rows, columns

    @property
    def affine(self) -> np.ndarray:
        """4x4, from (slice, row, column) indices of the volume to LPS mm."""
        assert self.stack.spacing is not None
        affine = volume_affine(self.frames[0], self.stack.spacing)
        if self.straightening:
            affine[:3, 3] -= affine[:3, 1:3] @ self.straightening.before
        return affine

    def indices_of(self, places: np.ndarray) -> np.ndarray:
        """(slice, row, column) in the volume, as fractions, of each (x, y, z) in LPS mm."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(places @ inverse[:3, :3].T + inverse[:3, 3])

    def on_planes(self, mask: np.ndarray) -> np.ndarray:
        """A mask or label map of the volume as one of the frames: (frames, rows, columns)."""
        return self.straightening.on_planes(mask) if self.straightening else mask

    def on_plane(self, place: int, flat: np.ndarray) -> np.ndarray:
        """One slice of a mask, the one at `place`, as its frame shows it: (rows, columns)."""
        return self.straightening.on_plane(place, flat) if self.straightening else flat

    def folder(self) -> Path:
        """A new folder with a copy of each DICOM file as it was received, "0001.dcm" and so on.

        It is the module's own, and lies with its temporary files.
        """
        made = Path(tempfile.mkdtemp(prefix="series-"))
        for number, instance in enumerate(self.instances, start=1):
            with instance.path.open("rb") as file, (made / f"{number:04}.dcm").open("wb") as copy:
                shutil.copyfileobj(file, copy)
        return made

    @property
    def uid(self) -> str:
        return self.instances[0].series_uid

    @property
    def study_uid(self) -> str:
        return self.instances[0].study_uid

    @cached_property
    def header(self) -> Header:
        """The header of the first image, for attributes that hold for the whole series.

        Of an enhanced object as a classic image would have it, with those of its first frame.
        """
        return self.frames[0].header if self.frames else self.instances[0].header

    @cached_property
    def frame_of_reference_uid(self) -> str:
        """That of its images; one that follows from the series where none states a valid one."""
        stated = (frame.frame_of_reference for frame in self.frames)
        valid = next((uid for uid in stated if uid and is_valid("UI", uid)), "")
        return valid or derived_uid("frame-of-reference", self.uid)

    @property
    def modality(self) -> str:
        return self.header.text("Modality", 16)

    @property
    def description(self) -> str:
        return self.header.text("SeriesDescription")

    @property
    def name(self) -> str:
        """Description and label, for a person."""
        return ", ".join(filter(None, (self.description or "(no description)", self.label)))

    @cached_property
    def problem(self) -> str | None:
        """Why the pixels of an image cannot be used, as far as the headers tell, or None."""
        for frame in self.frames:
            if frame.is_colour:
                count = frame.instance.samples_per_pixel
                return f"{frame.name} is in colour (SamplesPerPixel is {count})"
            if frame.rescale.problem:
                return f"{frame.name}: {frame.rescale.problem}"
        return next((f"{i.name}: {i.problem}" for i in self.instances if i.problem), None)

    @cached_property
    def cautions(self) -> tuple[str, ...]:
        """What a reader must know of the values and the making of the series; clauses."""
        found = []
        needed = NEEDED.get(self.modality, ())
        missing = {keyword for frame in self.frames for keyword in frame.rescale.missing}
        if lacking := [keyword for keyword in needed if keyword in missing]:
            used = " and ".join(f"{DEFAULTS[keyword]:g}" for keyword in lacking)
            found.append(f"{self.modality} images without {' and '.join(lacking)}, taken as {used}")
        acquisitions = {frame.acquisition for frame in self.frames} - {None}
        if len(acquisitions) > 1:
            found.append(f"the slices come from {len(acquisitions)} acquisitions")
        if self.straightening:
            angle = f"{self.straightening.angle:.1f}\N{DEGREE SIGN}"
            found.append(f"resampled from slices with a gantry tilt of {angle}")
        return tuple(found)

    @property
    def suv_factor(self) -> float:
        """What PET voxels are multiplied by to become SUV by body weight, in g/mL.

        Raises `UnreadableError` naming what is missing for it.
        """
        first = min(self.frames, key=lambda frame: text_of(frame.header, "AcquisitionTime"))
        return suv_factor(first.header)

    def real_world_volume(self, unit: Code) -> Volume:
        """As `volume`, in `unit` by the Real World Value Mapping; NaN where that does not hold.

        Raises as `volume`, and `UnreadableError` for an image without a map to that unit.
        """

        def mapped(frame: Frame, stored: StoredFrames) -> np.ndarray:
            return frame.real_world_map(unit)(stored.frame(frame.number))

        return self._volume(mapped)

    def volume(self) -> Volume:
        """Voxels after the Modality LUT: float32 (slices, rows, columns), affine to LPS mm.

        Frames are decoded one at a time.

        Raises
        ------
        NoVolumeError
            The slices form no right-angled grid, or some are missing.
        UnreadableError
            The pixels of an image cannot be used; the text names the image.
        """
        if self.problem:
            raise UnreadableError(self.problem)
        return self._volume(_after_modality)

    def _volume(self, read: Reader) -> Volume:
        if self.stack.problem or self.stack.spacing is None:
            raise NoVolumeError(f"series forms no volume: {self.stack.problem}")
        require_size(*self.shape)
        voxels = np.empty(self.shape, np.float32)
        straight = self.straightening
        for place, values in enumerate(_values(self.frames, read)):
            voxels[place] = straight.on_grid(place, values) if straight else values
        if straight:
            voxels[np.isnan(voxels)] = np.nanmin(voxels)  # where no slice reaches
        return Volume(
            voxels,
            affine=self.affine,
            coordinate_system="PATIENT",
            frame_of_reference_uid=self.frames[0].frame_of_reference or None,
        )


def _values(frames: Sequence[Frame], read: Reader) -> Iterator[np.ndarray]:
    """The values of each frame; a file with several is opened once."""
    for path, of_file in groupby(frames, key=lambda frame: frame.instance.path):
        with StoredFrames(path) as stored:
            for frame in of_file:
                yield read(frame, stored)


def _after_modality(frame: Frame, stored: StoredFrames) -> np.ndarray:
    """Values after the Modality LUT, which is a table or slope and intercept (PS3.3 C.11.1)."""
    values = stored.frame(frame.number)
    table = stored.header.get("ModalityLUTSequence")
    if not table:
        return frame.rescale(values)
    with stored.named("the Modality LUT is broken", frame.number):
        return looked_up(values, table[0], stored.order)[0].astype(np.float32)
