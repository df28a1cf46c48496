"""What the tests of the hippocampus module share: the module and the sample exam."""

from pathlib import Path

import pytest

from hilum.modules.hippocampus import HippocampalVolume
from hilum_lab.network import exam, head


@pytest.fixture(scope="session")
def module() -> HippocampalVolume:
    return HippocampalVolume(threads=2)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The brain exam of the demo, a folder per series."""
    if not head.TEMPLATES.is_dir():
        pytest.skip("mricron-data is not installed")
    return exam.make_exam(
        tmp_path_factory.mktemp("exam"),
        series=["HippoCrop", "T1 MPRAGE sag", "T2 TSE ax", "FLAIR ax"],
    )
