"""Our results are known by our records and our modules' Device UIDs, not by what anybody writes."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage, SecondaryCaptureImageStorage

from factory import OURS, a_result, a_workitem, as_own_result, mr_slices, put, write
from hilum.dicom.instance import Instance
from hilum.dicom.own import OwnResults
from hilum.dicom.uids import MANUFACTURER
from hilum.module import ModuleFacts
from hilum.records import Records
from hilum.records.own import own_results

MODULE = ModuleFacts("bright", "1.0", "Bright", "ab" * 32)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as opened:
        yield opened


def result(**equipment: str) -> Dataset:
    made = mr_slices("result", count=1, shape=(4, 4))[0]
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    item = Dataset()
    for keyword, value in equipment.items():
        setattr(item, keyword, value)
    made.ContributingEquipmentSequence = [item]
    return made


def is_own(dataset: Dataset, folder: Path, own: OwnResults) -> bool:
    return Instance.read(write([dataset], folder)[0], own).is_own_result


def test_a_foreign_object_that_names_us_is_like_any_other(tmp_path: Path) -> None:
    foreign = result(Manufacturer=MANUFACTURER, DeviceUID="1.2.3")
    assert not is_own(foreign, tmp_path, OURS)


def test_what_a_module_wrote_itself_is_known_whatever_its_class(tmp_path: Path) -> None:
    image = as_own_result(mr_slices(count=1, shape=(4, 4))[0])
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = MRImageStorage
    assert is_own(image, tmp_path, OURS)
    del image.ContributingEquipmentSequence[0].DeviceUID
    assert not is_own(image, tmp_path, OURS), "an image that does not name the module is none"


def test_an_installed_module_is_known_by_its_device(tmp_path: Path, records: Records) -> None:
    own = own_results(records, [MODULE])
    assert is_own(result(DeviceUID=MODULE.device_uid), tmp_path, own)
    other = ModuleFacts("bright", "1.0", "Bright", "cd" * 32)
    assert not is_own(result(DeviceUID=other.device_uid), tmp_path, own)


def test_weights_that_ran_here_before_are_known(tmp_path: Path, records: Records) -> None:
    weights = MODULE.weights_sha256
    put(records, a_workitem(module="bright", weights_sha256=weights))
    assert is_own(result(DeviceUID=MODULE.device_uid), tmp_path, own_results(records, []))


def test_what_is_on_record_is_known_by_its_uid(tmp_path: Path, records: Records) -> None:
    stripped = result()
    own = own_results(records, [])
    assert not is_own(stripped, tmp_path, own)
    uid = str(stripped.SOPInstanceUID)
    put(records, a_result("w", identity=uid))
    assert is_own(stripped, tmp_path, own)
