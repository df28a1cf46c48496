import pytest

from hilum.network.processes import available_port


@pytest.fixture
def free_port() -> int:
    return available_port()
