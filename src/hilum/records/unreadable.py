"""What stands in the place of values that cannot be read, so that the rest of a row shows."""

from collections.abc import Mapping
from typing import Any

from hilum.records.states import DeliveryState

WORKITEM: Mapping[str, Any] = {  # in a list
    "reason": "on record, and Hilum cannot read what it decided or found",
    "verdicts": (),
    "findings": None,
}
DELIVERY: Mapping[str, Any] = {  # it waits for a person
    "images": False,
    "state": DeliveryState.REFUSED,
    "owed_at": 0.0,
    "attempts": 0,
    "reason": "on record, and Hilum cannot read how it stands",
    "next_attempt": 0.0,
    "verified_at": None,
    "asks": 0,
    "accepted_at": None,
    "resend": False,
    "filed_as": "",
}
