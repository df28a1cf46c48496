"""Numbers in the JSON that a module outside of Hilum leaves, whatever that JSON is."""

import pytest

from hilum.findings import Measurement, Note
from hilum.hosts.container.program import as_json
from hilum.module.result_numbers import ResultNumber, numbers_of

VOLUME = ResultNumber(
    key="found.0.ml", value="118565006", scheme="SCT", meaning="Volume", unit="ml"
)


@pytest.mark.parametrize("number", ["12.5", "0", "-3", "1e300"])
def test_a_number_becomes_a_measurement(number: str) -> None:
    [found] = numbers_of(as_json(b'{"found": [{"ml": %s}]}' % number.encode()), [VOLUME])
    assert isinstance(found, Measurement)
    assert found.value == float(number)


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-1e999", "9" * 400, "9" * 5000, "true", "null", '"12"', "[1]", "{}", "]"],
)
def test_what_is_no_number_is_told_beside_the_rest(number: str) -> None:
    [found] = numbers_of(as_json(b'{"found": [{"ml": %s}]}' % number.encode()), [VOLUME])
    assert isinstance(found, Note)
    assert found.caution
    assert found.text == "the module gave no number for volume"
