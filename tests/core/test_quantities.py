"""Physical units for modules: Real World Value Mapping and SUV."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.dicom.quantities import real_world_maps, suv_factor
from hilum.errors import UnreadableError
from phantom import classic, enhanced, read, stack

GRAM_PER_ML = Code("g/ml", "UCUM", "gram per milliliter")


def mapping(slope: float, intercept: float, unit: Code = GRAM_PER_ML, **values: Any) -> Dataset:
    item = Dataset()
    item.RealWorldValueFirstValueMapped, item.RealWorldValueLastValueMapped = 0, 65535
    item.RealWorldValueSlope, item.RealWorldValueIntercept = slope, intercept
    item.LUTExplanation, item.LUTLabel = "SUV", "SUVbw"
    item.MeasurementUnitsCodeSequence = [codes.item(unit)]
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


@pytest.mark.parametrize("pack", ["classic", "enhanced"])
def test_a_mapping_is_of_stored_values_slice_by_slice(pack: str, tmp_path: Path) -> None:
    planes = stack(5, rescale=(2.0, 7.0))
    if pack == "classic":
        made = classic(planes, "PT")
        holders = made
    else:
        made = [enhanced(planes, "CT")]
        holders = list(made[0].PerFrameFunctionalGroupsSequence)
    for number, holder in enumerate(holders, start=1):
        other = mapping(1, 0, Code("Bq/ml", "UCUM", "Becquerels/milliliter"))
        holder.RealWorldValueMappingSequence = [other, mapping(0.1 * number, 1)]
    volume = read(made, tmp_path).real_world_volume(GRAM_PER_ML)
    expected = [plane.stored * (0.1 * n) + 1 for n, plane in enumerate(planes, start=1)]
    assert np.allclose(volume.array, np.stack(expected), rtol=1e-5)


def test_a_table_holds_for_its_range_only(tmp_path: Path) -> None:
    (ds,) = classic(stack(1, size=(1, 6)))
    ds.PixelData = np.array([[3, 4, 5, 6, 7, 8]], np.uint16).tobytes()
    item = mapping(1, 0, RealWorldValueFirstValueMapped=4, RealWorldValueLastValueMapped=6)
    del item.RealWorldValueSlope
    del item.RealWorldValueIntercept
    item.RealWorldValueLUTData = [10.0, 20.0, 40.0]
    ds.RealWorldValueMappingSequence = [item]
    (frame,) = read([ds], tmp_path).frames
    mapped = frame.real_world_map(GRAM_PER_ML)(np.array([3, 4, 5, 6, 7]))
    assert np.array_equal(mapped, [np.nan, 10, 20, 40, np.nan], equal_nan=True)


def test_what_has_no_map_to_the_unit_is_named(tmp_path: Path) -> None:
    series = read(classic(stack(4)), tmp_path)
    with pytest.raises(UnreadableError, match="image 1 has no Real World Value Mapping to g/ml"):
        series.real_world_volume(GRAM_PER_ML)


def pet(**values: Any) -> Dataset:
    """A header of 70 kg and 370 MBq of F-18, injected an hour before the scan."""
    header = Dataset()
    header.Units, header.DecayCorrection = "BQML", "START"
    header.CorrectedImage = ["DECY", "ATTN", "SCAT", "DECAY"]
    header.PatientWeight = 70
    header.SeriesDate = header.AcquisitionDate = header.StudyDate = "20260102"
    header.SeriesTime, header.AcquisitionTime = "003000", "003010.5"
    injection = Dataset()
    injection.RadionuclideTotalDose, injection.RadionuclideHalfLife = 370e6, 6586.2
    injection.RadiopharmaceuticalStartTime = "233000"  # the day before
    header.RadiopharmaceuticalInformationSequence = [injection]
    for keyword, value in values.items():
        if keyword in injection:
            setattr(injection, keyword, value)
        else:
            setattr(header, keyword, value)
    return header


EXPECTED = 70_000 / (370e6 * 2 ** (-3600 / 6586.2))


@pytest.mark.parametrize(
    ("values", "factor"),
    [
        ({}, EXPECTED),
        ({"RadiopharmaceuticalStartTime": "233000.75"}, EXPECTED),
        ({"SeriesTime": "110000"}, 70_000 / (370e6 * 2 ** (-3610 / 6586.2))),  # made anew later
        ({"DecayCorrection": "ADMIN"}, 70_000 / 370e6),
        ({"Units": "GML"}, 1.0),
    ],
)
def test_suv_is_reckoned_as_qiba_does(values: dict[str, Any], factor: float) -> None:
    assert suv_factor(pet(**values)) == pytest.approx(factor, rel=1e-9)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"PatientWeight": None}, "PatientWeight is missing"),
        ({"PatientWeight": 0}, "PatientWeight is missing or not a positive number"),
        ({"RadionuclideTotalDose": None}, "RadionuclideTotalDose is missing"),
        ({"RadionuclideHalfLife": None}, "RadionuclideHalfLife is missing"),
        ({"RadiopharmaceuticalStartTime": ""}, "RadiopharmaceuticalStartTime is missing"),
        ({"RadiopharmaceuticalInformationSequence": None}, "InformationSequence is missing"),
        ({"CorrectedImage": ["DECAY"]}, "CorrectedImage does not name ATTN"),
        ({"DecayCorrection": "NONE"}, "DecayCorrection is NONE"),
        ({"Units": "CNTS"}, "no SUV Scale Factor of Philips"),
        ({"Units": "PROPCNTS"}, "Units is PROPCNTS"),
        ({"SeriesTime": "", "AcquisitionTime": ""}, "SeriesTime and AcquisitionTime are missing"),
    ],
)
def test_without_its_inputs_there_is_no_suv(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UnreadableError, match=words):
        suv_factor(pet(**values))


def test_counts_of_philips_have_a_factor_of_their_own() -> None:
    header = pet(Units="CNTS")
    block = header.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", "0.000312")
    assert suv_factor(header) == pytest.approx(0.000312)


def test_a_real_world_map_without_its_range_is_left_out() -> None:
    unit, mapping, item = Dataset(), Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "ms", "UCUM", "millisecond"
    mapping.MeasurementUnitsCodeSequence = [unit]
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 1.0, 0.0
    item.RealWorldValueMappingSequence = [mapping]
    assert real_world_maps([item]) == ()
