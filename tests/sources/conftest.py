import pytest

from tests import synthetic


@pytest.fixture
def free_port() -> int:
    return synthetic.free_port()
