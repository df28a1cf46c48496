"""What the tests of the hippocampus module share: the module and the sample exam."""

from functools import partial
from pathlib import Path

import pytest

from hilum.modules.hippocampus import HippocampalVolume
from hilum_lab.network import exam, head
from tests import samples

SERIES = ["HippoCrop", "T1 MPRAGE sag", "T2 TSE ax", "FLAIR ax"]


@pytest.fixture(scope="session")
def module() -> HippocampalVolume:
    return HippocampalVolume(threads=2)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four series of the brain exam of the demo, a folder per series; to be read only."""
    if not head.TEMPLATES.is_dir():
        pytest.skip("mricron-data is not installed")
    make = partial(exam.make_exam, series=SERIES)
    return samples.made_once(tmp_path_factory, "four-series", make)
