"""Seconds and memory to write the results of 104 structures on a CT of a whole body.

    python bench/structures.py [--slices 600] [--size 512] [--structures 104]

The body is made here: ellipsoids that share no voxel, in one label map. Each encoding of the
segmentation is written in a process of its own, with the measurement report, the picture and the
PDF. Then the segmentation is read back by pydicom, voxel by voxel, and the report's volumes are
compared with the voxels that were counted. Beside them, in the same run, the reference: highdicom
alone, which writes a BINARY segmentation of the same label map and nothing else.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from highdicom.seg import Segmentation
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels
from pydicom.sr.coding import Code

from hilum.config.kinds import STANDARD_OBJECTS
from hilum.dicom import codes
from hilum.engine import exchange
from hilum.findings import Label, LabelMap
from hilum.objects import Analysis, write_what_can_be
from hilum.objects.iod import seg
from hilum.objects.report import Report
from hilum.testing.samples import analysis_of, write_series


def body(shape: tuple[int, int, int], count: int) -> np.ndarray:
    """Ellipsoids in an ellipsoid, as organs lie in a body: uint8 (slices, rows, columns)."""
    rng = np.random.default_rng(1)
    labels = np.zeros(shape, np.uint8)
    size = np.array(shape)
    for value in range(1, count + 1):
        middle = size * rng.uniform((0.08, 0.25, 0.2), (0.92, 0.75, 0.8))
        radii = np.maximum(size * rng.uniform(0.02, 0.11, 3), 2)
        first = np.maximum(np.floor(middle - radii), 0).astype(int)
        last = np.minimum(np.ceil(middle + radii) + 1, size).astype(int)
        part = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
        axes = np.ogrid[part]
        distance = sum(((a - m) / r) ** 2 for a, m, r in zip(axes, middle, radii, strict=True))
        labels[part][(distance < 1) & (labels[part] == 0)] = value
    return labels


def prepared(files: list[Path], count: int) -> Analysis:
    """The analysis whose findings are the label map."""
    series = analysis_of(files).series
    assert series is not None
    volume = series.volume()
    table = tuple(
        Label(value, Code(str(value), "99HILUM", f"Structure {value}"), f"Structure {value}")
        for value in range(1, count + 1)
    )
    return analysis_of(files, LabelMap(volume.with_array(body(volume.shape, count)), table))


def ours(files: list[Path], count: int, encoding: str, pipe: Connection) -> None:
    """Write all four with `encoding`, and judge them."""
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        made = prepared(files, count)
        before = time.perf_counter()
        exchange.save(made.findings, Path(folder))
        stored = sum(file.stat().st_size for file in Path(folder).iterdir())
        made = analysis_of(files, *exchange.load(Path(folder)).items)
        said = [f"kept and read again in {time.perf_counter() - before:.1f} s: {megabytes(stored)}"]
    before, cpu = time.perf_counter(), time.process_time()
    lost: dict[str, str] = {}
    documents = write_what_can_be(made, lost, STANDARD_OBJECTS, encoding)
    whole = f"{time.perf_counter() - before:.0f} s, {time.process_time() - cpu:.0f} s of CPU"
    said.append(", ".join(f"{d.kind} {megabytes(len(d.encoded))}" for d in documents))
    peak_of_it = peak()
    said += judged(made, documents[0].content, documents[1].content)
    pipe.send((said, f"{whole}, peak {peak_of_it} {lost or ''}"))


def judged(made: Analysis, segmentation: Dataset, report: Dataset) -> list[str]:
    """How many voxels and volumes are other than the label map's."""
    structures = Report(made).numbered_segments
    labels = seg.as_label_map(structures)
    assert labels is not None
    series = made.series
    assert series is not None
    places = {frame.instance.sop_instance_uid: n for n, frame in enumerate(series.frames)}
    back = np.zeros_like(labels)
    groups = segmentation.PerFrameFunctionalGroupsSequence
    for group, plane in zip(groups, iter_pixels(segmentation), strict=True):
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        place = places[source.ReferencedSOPInstanceUID]
        if segmentation.SegmentationType == "LABELMAP":
            back[place] = plane
        else:
            number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
            back[place][plane > 0] = number
    wrong = int((back != labels).sum())
    stated = dict(volumes(report))
    off = sum(abs(stated[s.name] - s.volume_mm3) > 1e-6 * s.volume_mm3 for s in structures)
    frames = len(groups)
    return [
        f"{frames} frames, {wrong} of {labels.size} voxels and {off} of {len(stated)} volumes wrong"
    ]


def volumes(report: Dataset) -> Iterator[tuple[str, float]]:
    """Name and volume in mm3 of each group."""
    for section in report.ContentSequence:
        for group in section.get("ContentSequence", ()):
            named = {
                item.ConceptNameCodeSequence[0].CodeValue: item
                for item in group.get("ContentSequence", ())
            }
            if codes.VOLUME.value in named:
                measured = named[codes.VOLUME.value].MeasuredValueSequence[0]
                name = named[codes.TRACKING_IDENTIFIER.value].TextValue
                yield name, float(measured.FloatingPointValue)


def reference(files: list[Path], count: int, encoding: str, pipe: Connection) -> None:
    """highdicom alone."""
    made = prepared(files, count)
    report = Report(made)
    labels = seg.as_label_map(report.numbered_segments)
    assert labels is not None and made.series is not None
    before, cpu = time.perf_counter(), time.process_time()
    Segmentation(
        seg.source_images(made.series),
        labels,
        encoding.upper(),
        [seg._describe(report, n + 1) for n in range(len(report.numbered_segments))],
        "1.2.3",
        1,
        "1.2.4",
        1,
        "x",
        "x",
        "x",
        "x",
    )
    seconds = f"{time.perf_counter() - before:.0f} s, {time.process_time() - cpu:.0f} s of CPU"
    pipe.send(([], f"{seconds}, peak {peak()}"))


def megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def peak() -> str:
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=600)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--structures", type=int, default=104)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with TemporaryDirectory(dir=Path.cwd()) as name:
        files = write_series(Path(name), options.slices, (options.size, options.size))
        for title, run, encoding in (
            ("binary", ours, "binary"),
            ("labelmap", ours, "labelmap"),
            ("highdicom alone, SEG only", reference, "binary"),
        ):
            receiving, sending = context.Pipe(duplex=False)
            process = context.Process(
                target=run, args=(files, options.structures, encoding, sending)
            )
            process.start()
            sending.close()
            said, whole = receiving.recv()
            process.join()
            print(f"{title}: {whole}; load {os.getloadavg()[0]:.1f}", flush=True)
            for line in said:
                print(f"  {line}")


if __name__ == "__main__":
    sys.exit(main())
