"""Which frames of which file an input is made of, as a value that can be written down."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hilum.dicom.instance import Instance
from hilum.dicom.series import Series


@dataclass(frozen=True)
class Part:
    """A file, and the numbers of those of its frames that are meant, from 1; None means all."""

    path: Path
    frames: tuple[int, ...] | None = None

    def __str__(self) -> str:
        """The file's name, and runs of frame numbers where not all are meant: "a.dcm 1-20,22"."""
        return self.path.name if self.frames is None else f"{self.path.name} {_runs(self.frames)}"

    @classmethod
    def parse(cls, text: str, folder: Path) -> "Part":
        """What `str` wrote, of a file in `folder`."""
        name, _, runs = text.partition(" ")
        return cls(folder / name, _numbers(runs) if runs else None)

    @classmethod
    def of(cls, series: Series) -> "tuple[Part, ...]":
        """The parts that `series` is made of, in order of their files' names."""
        chosen = _frames_of(series)
        return tuple(
            sorted(
                (_part(i, chosen.get(i.sop_instance_uid, []), i.path) for i in series.instances),
                key=str,
            )
        )


def images_of(series: Series) -> tuple[str, ...]:
    """The images that `series` is made of, whatever their files are called, in order of their UIDs.

    Each is a SOP Instance UID, and the runs of its frame numbers where not all are meant.
    """
    chosen = _frames_of(series)
    return tuple(
        sorted(
            str(_part(i, chosen.get(i.sop_instance_uid, []), Path(i.sop_instance_uid)))
            for i in series.instances
        )
    )


def uid_of(image: str) -> str:
    """The SOP Instance UID of one of the images that `images_of` gives."""
    return image.partition(" ")[0]


def read_series(parts: Iterable[Part]) -> tuple[Series, ...]:
    """The series that `parts` are of, in order of their UIDs, with the frames that they name.

    Raises `UnreadableError`.
    """
    read: dict[str, list[tuple[Part, Instance]]] = {}
    for part in parts:
        instance = Instance.read(part.path)
        read.setdefault(instance.series_uid, []).append((part, instance))
    return tuple(_series(read[uid]) for uid in sorted(read))


def _series(read: Sequence[tuple[Part, Instance]]) -> Series:
    if all(part.frames is None for part, _ in read):
        return Series.of([instance for _, instance in read])
    frames = []
    for part, instance in sorted(read, key=lambda r: (r[1].number or 0, r[1].sop_instance_uid)):
        wanted = range(1, len(instance.frames) + 1) if part.frames is None else part.frames
        frames += [instance.frames[number - 1] for number in wanted]
    return Series.of_frames(frames)


def _frames_of(series: Series) -> dict[str, list[int]]:
    """The numbers of the frames that `series` is made of, by SOP Instance UID."""
    chosen: dict[str, list[int]] = {}
    for frame in series.frames:
        chosen.setdefault(frame.instance.sop_instance_uid, []).append(frame.number)
    return chosen


def _part(instance: Instance, numbers: Sequence[int], path: Path) -> Part:
    whole = len(numbers) == len(instance.frames)
    return Part(path, None if whole else tuple(sorted(numbers)))


def _runs(numbers: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{a}-{b}" if b > a else f"{a}" for a, b in runs)


def _numbers(runs: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for run in runs.split(","):
        first, _, last = run.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return tuple(numbers)
