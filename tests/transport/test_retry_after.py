"""Retry-After as services write it."""

import pytest

from hilum.transport.retry_after import seconds_in

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0.0),
        ("0", 0.0),
        ("120", 120.0),
        ("1801", 1800.0),
        ("9" * 400, 1800.0),
        ("-5", 0.0),
        ("1.5", 0.0),
        ("soon", 0.0),
        ("\u0665", 0.0),
        ("Fri, 15 Jan 2027 08:01:30 GMT", 90.0),
        ("Fri, 15 Jan 2027 08:01:30", 90.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 1800.0),
        ("Fri, 99 Jan 2027 08:01:30 GMT", 0.0),
    ],
)
def test_a_number_or_a_date_within_half_an_hour(header: str, seconds: float) -> None:
    assert seconds_in(header, NOW) == seconds
