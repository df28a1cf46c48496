"""The Parametric Map object (PS3.3 A.75): numbers at every voxel, as machines read them."""

from collections.abc import Iterator

import numpy as np
from highdicom import VOILUTTransformation
from highdicom.pm import ParametricMap as HighdicomMap
from highdicom.pm import RealWorldValueMapping
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage

from hilum.dicom.series import Series
from hilum.dicom.uids import MANUFACTURER
from hilum.findings import Finding, Note, ParametricMap
from hilum.objects.iod import common
from hilum.objects.iod.seg import complete, source_images
from hilum.objects.kinds import Writing
from hilum.objects.report import Report
from hilum.objects.telling import tell
from hilum.results import DICOM

HALF_A_LABEL = 16  # characters of SH: Content Label, LUT Label


def write(report: Report) -> Iterator[Dataset]:
    """One for each map, on exactly the grid of the source; none without a grid."""
    series = report.analysis.series
    if series is None or series.stack.spacing is None:
        return
    for number, given in enumerate(report.analysis.findings.of(ParametricMap), start=1):
        yield _written(report, series, given, number)


def _written(report: Report, series: Series, given: ParametricMap, number: int) -> Dataset:
    analysis = report.analysis
    uid = common.sop_instance_uid(analysis, "pm", "", number)
    low, high = given.range
    dataset = HighdicomMap(
        source_images=source_images(series),
        pixel_array=np.ascontiguousarray(series.on_planes(given.values.array), np.float32),
        series_instance_uid=common.series_instance_uid(uid),
        series_number=common.SERIES_NUMBERS["pm"],
        sop_instance_uid=uid,
        instance_number=number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=analysis.module.name,
        software_versions=analysis.module.version,
        device_serial_number=analysis.module.weights_sha256,
        contains_recognizable_visual_features=True,  # nobody knows that it has none
        real_world_value_mappings=[
            RealWorldValueMapping(
                lut_label=given.label[:HALF_A_LABEL],
                lut_explanation=given.label,
                unit=given.unit,
                value_range=(low, high),
                slope=1.0,
                intercept=0.0,
                quantity_definition=given.quantity,
            )
        ],
        voi_lut_transformations=[_window(low, high)],
        content_label="AI_RESEARCH",
        content_description=common.description(analysis.module.title, "pm"),
    )
    complete(dataset, analysis, series, (ParametricMapStorage,))
    return common.stamp(dataset, analysis, "pm", "", number)


def _window(low: float, high: float) -> VOILUTTransformation:
    return VOILUTTransformation(
        window_center=float(f"{(low + high) / 2:.6g}"),
        window_width=float(f"{max(high - low, 1e-6):.6g}"),
    )


def _as_note(given: ParametricMap) -> Iterator[Finding]:
    yield Note(f"{given.summary().in_words()}.")


tell(ParametricMap, _as_note)


class ParametricMaps:
    """The kind "pm"."""

    media_type = DICOM
    refers_to: tuple[str, ...] = ()

    def write(self, writing: Writing) -> list[Dataset]:
        return list(write(writing.report))
