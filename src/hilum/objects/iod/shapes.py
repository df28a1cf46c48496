"""Points, boxes, lengths and angles in the measurement report (PS3.16 TID 1410, 1411, 1501)."""

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.findings import Angle, Box, Length, Point, Shape
from hilum.objects.iod import content_tree as tree
from hilum.objects.iod import groups
from hilum.objects.iod.contours import outlines
from hilum.objects.report import Report
from hilum.objects.report.shapes import Placed, box_mask, outline
from hilum.objects.telling import tell

CORNER = 0.5  # coordinates count from the corner of the first pixel (PS3.3 C.18.6.1.2)


def _of_point(report: Report, point: Point) -> Iterator[Dataset]:
    """TID 1410 with a point."""
    pixels, source = _on_image(report, point)
    place = tree.region(codes.IMAGE_REGION, "POINT", pixels + CORNER, source)
    yield _group(report, point, "1410", [*_finding(point.code), place])


def _of_box(report: Report, box: Box) -> Iterator[Dataset]:
    """TID 1410 with a rectangle on an image, TID 1411 with one on each slice of a volume."""
    series = report.analysis.series
    if box.image is not None or series is None:
        pixels, source = _on_image(report, box)
        edge = outline(box, pixels) + CORNER
        region = tree.polyline(codes.IMAGE_REGION, edge, source)
        yield _group(report, box, "1410", [*_finding(box.code), region])
        return
    regions = []
    planes = series.on_planes(box_mask(box, series))
    for frame, mask in zip(series.frames, planes, strict=True):
        source = tree.frame(codes.SOURCE, frame, tree.SELECTED_FROM)
        edges = outlines(mask)
        regions += [tree.polyline(codes.IMAGE_REGION, edge, source) for edge in edges]
    yield _group(report, box, "1411", [*_finding(box.code), *regions])


def _of_length(report: Report, length: Length) -> Iterator[Dataset]:
    """TID 1501 with a number that was inferred from its line."""
    yield _measured(report, length, length.code, length.value, codes.MILLIMETRE)


def _of_angle(report: Report, angle: Angle) -> Iterator[Dataset]:
    yield _measured(report, angle, angle.code, angle.value, codes.DEGREE)


def _measured(report: Report, shape: Shape, code: Code, value: float, unit: Code) -> Dataset:
    lines = [*groups.algorithm(report.analysis), *_lines(report, shape)]
    return _group(report, shape, "1501", [tree.number(code, value, unit, lines)])


def _lines(report: Report, shape: Shape) -> Iterator[Dataset]:
    """The line, or two where four points make an angle; in space where no image holds all of it."""
    series, points = report.analysis.series, np.array(shape.points)
    on_image = shape.image is not None or (series and Placed.of(shape, series).is_flat)
    if on_image:
        points, source = _on_image(report, shape)
    for part in (points[:2], points[2:]) if len(points) == 4 else (points,):
        if on_image:
            yield tree.coordinates("POLYLINE", part + CORNER, source)
        else:
            assert series is not None
            yield tree.coordinates_in_space("POLYLINE", part, series.frame_of_reference_uid)


def _on_image(report: Report, shape: Shape) -> tuple[np.ndarray, Dataset]:
    """Its points as (column, row), and the image that they lie on."""
    if shape.image is not None:
        instance = report.analysis.by_uid[shape.image]
        uids = instance.sop_class_uid, instance.sop_instance_uid
        return np.array(shape.points), tree.image(codes.SOURCE, *uids, tree.SELECTED_FROM)
    assert report.analysis.series is not None, "it was checked to lie in a volume"
    placed = Placed.of(shape, report.analysis.series)
    return placed.pixels, tree.frame(codes.SOURCE, placed.frame, tree.SELECTED_FROM)


def _finding(code: Code) -> list[Dataset]:
    return [tree.code(codes.FINDING, code)]


def _group(report: Report, shape: Shape, template: str, content: list[Dataset]) -> Dataset:
    own = [f for f in report.analysis.findings.items if isinstance(f, type(shape))]
    same = [f for f in own if f.label == shape.label and f.image == shape.image]
    number = next(n for n, each in enumerate(same) if each is shape)
    kind = type(shape).__name__
    uid = report.tracking_uid(kind, shape.label, shape.image or "", str(number))
    tracked = groups.tracking(shape.label, uid)
    return tree.container(codes.MEASUREMENT_GROUP, [*tracked, *content], template)


tell(Point, lambda point: (), _of_point)
tell(Box, lambda box: (), _of_box)
tell(Length, lambda length: (), _of_length)
tell(Angle, lambda angle: (), _of_angle)
