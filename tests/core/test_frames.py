"""Frames, not files: what a module gets does not depend on how the scanner packed it."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, SecondaryCaptureImageStorage

from hilum.config.site import Rule
from hilum.dicom.candidates import MOST_VOLUMES, split
from hilum.dicom.instance import Instance
from hilum.dicom.parts import Part, read_series
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.errors import UnreadableError
from hilum.module import Input
from hilum.study.arrival import Arrival
from hilum.study.assembly import Run, Wait, decide
from hilum.study.routing import select
from phantom import Plane, classic, enhanced, instance_of, read, stack, value_at
from tests.effort import lines_run

OBLIQUE = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)


def unlike(datasets: list[Dataset], start: int = 0) -> list[Dataset]:
    """The same, each under a UID of its own."""
    for number, ds in enumerate(datasets, start):
        ds.SOPInstanceUID = f"{ds.SOPInstanceUID[:40]}.{number}"
    return datasets


def echoes(count: int = 10) -> list[Plane]:
    planes = stack(count)
    return [replace(p, attributes={"EchoTime": time}) for time in (10.0, 80.0) for p in planes]


def proven(series: Series) -> None:
    volume = series.volume()
    points = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"), -1)
    there = points @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    assert np.abs(volume.array - value_at(there)).max() < 0.6


@pytest.mark.parametrize("modality", ["MR", "CT"])
@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian])
def test_classic_and_enhanced_give_the_same(
    modality: str, syntax: str | None, tmp_path: Path
) -> None:
    planes = stack(12, 2.5, orientation=OBLIQUE, spacing=(0.7, 0.9), rescale=(0.5, -100.0))
    packed = enhanced(planes[::-1], modality)
    if syntax:
        packed.file_meta.TransferSyntaxUID = syntax
    one = read([packed], tmp_path / "enhanced")
    many = read(classic(planes, modality), tmp_path / "classic")
    assert (len(one.instances), len(many.instances)) == (1, 12)
    first, second = one.volume(), many.volume()
    assert np.array_equal(first.array, second.array)
    assert np.allclose(first.affine, second.affine)
    assert [frame.number for frame in one.frames] == list(range(12, 0, -1))
    proven(one)


def test_sequences_of_undefined_length_are_read_alike(tmp_path: Path) -> None:
    packed = enhanced(stack(9))
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        packed[keyword].is_undefined_length = True
        for item in packed[keyword].value:
            item.is_undefined_length_sequence_item = True
            for element in item:
                element.is_undefined_length = True
    proven(read([packed], tmp_path))


@pytest.mark.parametrize("pack", [lambda p: unlike(classic(p)), lambda p: [enhanced(p)]])
@pytest.mark.parametrize(
    ("attributes", "labels"),
    [
        ({"EchoTime": [10.0, 80.0]}, ["echo 1 of 2: 10 ms", "echo 2 of 2: 80 ms"]),
        (
            {"DiffusionBValue": [0.0, 1000.0]},
            ["b-value 1 of 2: 0 s/mm2", "b-value 2 of 2: 1000 s/mm2"],
        ),
    ],
)
def test_two_volumes_of_one_series_are_told_apart(
    pack: Callable[[list[Plane]], list[Dataset]],
    attributes: dict[str, list[float]],
    labels: list[str],
    tmp_path: Path,
) -> None:
    ((keyword, values),) = attributes.items()
    planes = [replace(p, attributes={keyword: v}) for p in stack(10) for v in values]
    candidates = read(pack(planes), tmp_path).candidates
    assert [series.label for series in candidates] == labels
    for series in candidates:
        proven(series)


IF_REPEATED = {
    "time": ("TemporalPositionIdentifier", [1, 2, 3]),
    "acquisition": ("AcquisitionNumber", [4, 7]),
    "image type": ("ImageType", [["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]]),
}


@pytest.mark.parametrize("name", IF_REPEATED)
def test_what_may_be_another_volume_is_one_where_positions_repeat(
    name: str, tmp_path: Path
) -> None:
    keyword, values = IF_REPEATED[name]
    planes = [replace(p, attributes={keyword: v}) for v in values for p in stack(8)]
    candidates = read(unlike(classic(planes)), tmp_path).candidates
    assert len(candidates) == len(values)
    assert all(series.label.startswith(name) for series in candidates)


def test_a_step_and_shoot_scan_is_one_volume_with_a_caution(tmp_path: Path) -> None:
    planes = [replace(p, attributes={"AcquisitionNumber": p.number}) for p in stack(8)]
    (series,) = read(classic(planes, "CT"), tmp_path).candidates
    assert series.cautions == ("the slices come from 8 acquisitions",)
    proven(series)


def test_frames_of_reference_and_directions_are_never_one_volume(tmp_path: Path) -> None:
    here, there = classic(stack(6)), unlike(classic(stack(6)))
    for ds in there:
        ds.FrameOfReferenceUID = "2.25.99"
    turned = unlike(classic(stack(5, orientation=OBLIQUE)), 50)
    labels = {s.label: len(s.frames) for s in read([*here, *there, *turned], tmp_path).candidates}
    assert sorted(labels.values()) == [5, 6, 6]
    assert any(label.endswith("orientation 2 of 2: axial") for label in labels)


def test_images_that_are_no_slices_are_set_aside(tmp_path: Path) -> None:
    slices = classic(stack(8))
    screenshot, localizer, colour = unlike(classic(stack(3, 7.0)), 20)
    screenshot.SOPClassUID = SecondaryCaptureImageStorage
    screenshot.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    localizer.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    colour.SamplesPerPixel, colour.PhotometricInterpretation = 3, "RGB"
    (series,) = read([*slices, screenshot, localizer, colour], tmp_path).candidates
    assert len(series.frames) == 8
    assert [words.split(" set")[0] for words in series.aside] == [
        "1 screenshot",
        "1 localizer",
        "1 colour image",
    ]


RESCALES: dict[str, tuple[dict[str, Any], str | None]] = {
    "neither": ({"RescaleSlope": None, "RescaleIntercept": None}, None),
    "an empty slope": ({"RescaleSlope": ""}, None),
    "slope 0": ({"RescaleSlope": 0}, "image 3: RescaleSlope is 0"),
    "nan": ({"RescaleSlope": b"nan "}, "image 3: RescaleSlope is not a usable number"),
    "a comma": ({"RescaleIntercept": b"1,0 "}, "image 3: RescaleIntercept is not a number"),
    "two numbers": ({"RescaleSlope": [1, 2]}, "image 3: RescaleSlope is not a usable number"),
}


@pytest.mark.parametrize("name", RESCALES)
def test_what_the_scanner_meant_or_why_nobody_can_say(name: str, tmp_path: Path) -> None:
    values, problem = RESCALES[name]
    slices = classic(stack(6), "CT")
    for keyword, value in values.items():
        if isinstance(value, bytes):
            _raw(slices[2], keyword, value)
        else:
            setattr(slices[2], keyword, value)
    series = read(slices, tmp_path)
    assert series.problem == problem
    if problem is None:
        proven(series)
        assert "taken as" in series.cautions[0]
    else:
        objections = list(Input("CT").objections(series))
        assert objections == [problem]
        with pytest.raises(UnreadableError, match=problem):
            series.volume()


BROKEN = [b"one ", b"1,5 ", b"0x1 ", b"1_0 ", b"1\\ "]  # what no number of DICOM looks like


@pytest.mark.parametrize("value", BROKEN)
@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
@pytest.mark.parametrize("where", ["of one frame", "of all frames", "of one, beside all frames"])
def test_a_broken_rescale_of_a_frame_is_none_of_the_usual_ones(
    where: str, keyword: str, value: bytes, tmp_path: Path
) -> None:
    planes = stack(4, rescale=(0.5, -100.0))
    if where == "of one frame":
        planes[1] = replace(planes[1], rescale=(0.25, -50.0))  # so that none is shared
    packed = enhanced(planes)
    named = "PixelValueTransformationSequence"
    shared, per_frame = (
        packed.SharedFunctionalGroupsSequence[0],
        packed.PerFrameFunctionalGroupsSequence,
    )
    if where == "of one, beside all frames":
        per_frame[1][named] = deepcopy(shared[named])
    group = shared if where == "of all frames" else per_frame[1]
    _raw(group[named].value[0], keyword, value)
    series = read([packed], tmp_path)
    number = 1 if where == "of all frames" else 2
    assert series.problem == f"image 1, frame {number}: {keyword} is not a number"
    with pytest.raises(UnreadableError, match="is not a number"):
        series.volume()


@pytest.mark.parametrize("vr", ["US", "SS"])
@pytest.mark.parametrize("is_signed", [True, False])
@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_modality_lut_means_the_same_in_every_slice(
    syntax: str | None, is_signed: bool, vr: str, tmp_path: Path
) -> None:
    first = -50 if is_signed else 40_000
    entries = np.arange(100) * 3
    begins = {"US": first % 2**16, "SS": (first + 2**15) % 2**16 - 2**15}
    slices = classic(stack(4), "CT")
    stored = [np.full((8, 6), first + 60 - 20 * number) for number in range(4)]  # 10, -10 and so on
    for ds, values in zip(slices, stored, strict=True):
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 15, int(is_signed)
        ds.PixelData = values.astype("<i2" if is_signed else "<u2").tobytes()
        item = Dataset()
        item.add(DataElement(Tag("LUTDescriptor"), vr, [100, begins[vr], 16]))
        item.add(DataElement(Tag("LUTData"), "US", entries.tolist()))
        ds.ModalityLUTSequence = [item]
        del ds.RescaleSlope, ds.RescaleIntercept
        if syntax:
            ds.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            ds.PixelData = values.astype(">i2" if is_signed else ">u2").tobytes()
    expected = np.stack([entries[np.clip(v - first, 0, 99)] for v in stored])
    assert (read(slices, tmp_path).volume().array == expected).all()


def test_only_one_of_slope_and_intercept_is_used_by_itself(tmp_path: Path) -> None:
    slices = classic(stack(6, rescale=(0.5, 0.0)), "PT")
    for ds in slices:
        del ds.RescaleIntercept
    series = read(slices, tmp_path)
    proven(series)
    assert series.cautions == ()
    slices = classic(stack(6, rescale=(1.0, -1024.0)), "CT")
    for ds in slices:
        del ds.RescaleSlope
    series = read(slices, tmp_path / "ct")
    proven(series)
    assert series.cautions == ("CT images without RescaleSlope, taken as 1",)


def test_each_slice_and_frame_has_its_own_scale(tmp_path: Path) -> None:
    planes = [replace(p, rescale=(0.25 + 0.25 * p.number, 10.0)) for p in stack(6)]
    for made in (classic(planes, "PT"), [enhanced(planes, "CT")]):
        volume = read(made, tmp_path / made[0].Modality).volume()
        expected = np.stack([p.stored * p.rescale[0] + p.rescale[1] for p in planes])
        assert np.allclose(volume.array, expected, atol=1e-3)


def test_parts_name_frames_and_are_read_back(tmp_path: Path) -> None:
    first, second = read([enhanced(echoes())], tmp_path).candidates
    (part,) = Part.of(second)
    assert str(part).endswith(".dcm 11-20")
    assert Part.parse(str(part), tmp_path) == part
    (again,) = read_series([part])
    assert np.array_equal(again.volume().array, second.volume().array)
    assert [frame.echo_time for frame in again.frames] == [80.0] * 10
    (whole,) = Part.of(read(classic(stack(1)), tmp_path / "one"))
    assert Part.parse(str(whole), tmp_path / "one") == whole
    assert first.header.EchoTime == 10.0


def test_a_module_may_narrow_and_a_rule_may_name(tmp_path: Path) -> None:
    study = Study.of([instance_of(enhanced(echoes()), tmp_path)])
    narrow = {"series": Input("MR", echo_time=(0.0, 30.0))}
    selection = select(study, narrow, Rule(module="m"))
    (chosen,) = selection.chosen["series"]
    assert chosen.label == "echo 1 of 2: 10 ms"
    assert "echo time is 80 ms, module needs 0 to 30 ms" in selection.reasons[1]
    named = Rule(module="m", series={"EchoTime": "^80"})
    (chosen,) = select(study, {"series": Input("MR")}, named).chosen["series"]
    assert chosen.label == "echo 2 of 2: 80 ms"


def test_frames_that_are_not_described_are_a_problem(tmp_path: Path) -> None:
    packed = enhanced(stack(8))
    packed.PerFrameFunctionalGroupsSequence = packed.PerFrameFunctionalGroupsSequence[:6]
    series = read([packed], tmp_path)
    assert "has 8 frames and describes 6" in str(series.problem)
    with pytest.raises(UnreadableError, match="describes 6"):
        series.volume()
    bare = enhanced(stack(8))
    del bare.PerFrameFunctionalGroupsSequence
    assert "without position" in str(read([bare], tmp_path / "bare").stack.problem)


def test_an_object_in_parts_is_waited_for(tmp_path: Path) -> None:
    planes = stack(12)
    parts = unlike([enhanced(planes[:6]), enhanced(planes[6:])])
    for number, ds in enumerate(parts, start=1):
        ds.ConcatenationUID, ds.InConcatenationNumber = "2.25.7", number
        ds.InConcatenationTotalNumber = 2
    arrival = Arrival(str(parts[0].StudyInstanceUID))
    needs, rule = {"series": Input("MR")}, Rule(module="m")
    arrival.add(instance_of(parts[0], tmp_path), 100.0, "a")
    waiting = decide(arrival, needs, rule, 160.0)
    assert isinstance(waiting, Wait)
    assert "1 of 2 images" in waiting.reason
    arrival.add(instance_of(parts[1], tmp_path), 101.0, "a")
    decision = decide(arrival, needs, rule, 160.0)
    assert isinstance(decision, Run)
    (chosen,) = decision.selection.chosen["series"]
    assert len(chosen.frames) == 12
    proven(chosen)


def test_an_enhanced_object_is_not_held_as_a_single_slice(tmp_path: Path) -> None:
    arrival = Arrival("1.2")
    arrival.add(instance_of(enhanced(stack(12)), tmp_path), 100.0, "a")
    arrival.released("a")
    assert isinstance(decide(arrival, {"series": Input("MR")}, Rule(module="m"), 100.5), Run)


def test_ten_thousand_frames_are_read_in_reasonable_memory(tmp_path: Path) -> None:
    planes = [replace(p, size=(2, 2)) for p in stack(10)]
    packed = enhanced(planes)
    many = Sequence(list(packed.PerFrameFunctionalGroupsSequence) * 1000)
    packed.PerFrameFunctionalGroupsSequence = many
    packed.NumberOfFrames = len(many)
    packed.PixelData = packed.PixelData * 1000
    series = read([packed], tmp_path)
    assert len(series.frames) == 10_000
    assert "where another one lies" in str(series.stack.problem)


def test_big_endian_headers_are_read(tmp_path: Path) -> None:
    packed = enhanced(stack(7))
    packed.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    packed.PixelData = np.frombuffer(packed.PixelData, "<u2").astype(">u2").tobytes()
    path = tmp_path / "big.dcm"
    packed.save_as(path, enforce_file_format=True)
    (series,) = read_series([Part(path)])
    proven(series)


def _raw(ds: Dataset, keyword: str, value: bytes) -> None:
    """Put bytes that no library would write into an element."""
    from pydicom.datadict import dictionary_VR
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    tag = Tag(keyword)
    vr = dictionary_VR(tag)
    ds._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)  # type: ignore[attr-defined]


def test_thousands_of_directions_cost_little_work_and_few_volumes(tmp_path: Path) -> None:
    plane = Plane((0.0, 0.0, 0.0), size=(2, 2))
    (instance,) = read([enhanced([plane])], tmp_path).instances
    (frame,) = instance.frames
    angles = np.random.default_rng(0).normal(size=(10_000, 6)).round(6)
    values = [{**frame.values, "ImageOrientationPatient": tuple(a)} for a in angles.tolist()]
    frames = [replace(frame, number=n, values=own) for n, own in enumerate(values, start=1)]
    once = lines_run(lambda: split(frames[:1000]))
    assert lines_run(lambda: split(frames[1000:3000])) < 2.2 * once
    found = split(frames)
    assert len(found.volumes) == MOST_VOLUMES
    (aside,) = found.aside
    assert aside == f"{10_000 - MOST_VOLUMES} of 10000 volumes set aside"


def test_a_small_file_cannot_ask_for_many_frames(tmp_path: Path) -> None:
    (image,) = classic([Plane((0.0, 0.0, 0.0))])
    image.NumberOfFrames = 100_000
    instance = instance_of(image, tmp_path)
    assert len(instance.frames) < 100
    assert instance.problem == "the file has no room for 100000 frames (NumberOfFrames)"


def test_a_broken_object_costs_its_own_series_only(tmp_path: Path) -> None:
    """Its functional groups make no sense: the other series of the study is analysed."""
    packed = enhanced(stack(8))
    packed.SeriesInstanceUID, packed.SOPInstanceUID = "2.25.5", "2.25.6"
    path = instance_of(packed, tmp_path).path
    content = bytearray(path.read_bytes())
    first_length = content.index(b"\x00\x52\x30\x92SQ") + 12 + 4  # of the first frame's item
    content[first_length : first_length + 4] = (0x7FFFFFF0).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    broken = Instance.read(path)
    assert broken.frames == ()
    arrival = Arrival("1.2")
    for number, image in enumerate(
        [broken, *(instance_of(d, tmp_path) for d in classic(stack(8)))]
    ):
        arrival.add(image, 100.0 + 0.01 * number, "a")
    arrival.released("a")
    decision = decide(arrival, {"series": Input("MR")}, Rule(module="m"), 101.0)
    assert isinstance(decision, Run)
    (rejected,) = (v for v in decision.selection.verdicts if not v.accepted)
    assert any("a functional group ends beyond its sequence" in r for r in rejected.reasons)


def test_lengths_that_no_scanner_has_are_not_there(tmp_path: Path) -> None:
    made = classic(stack(4))
    for ds in made:
        _raw(ds, "EchoTime", b"nan ")
        _raw(ds, "PixelSpacing", b"1e-300\\1e-300 ")
    (series,) = read(made, tmp_path).candidates
    assert series.frames[0].echo_time is None
    assert series.stack.problem == "slices without pixel spacing"
