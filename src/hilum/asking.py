"""How a person's request reaches the running gateway: a row in the records, and a hint."""

import time
from contextlib import closing
from pathlib import Path

from hilum import records as tables
from hilum.hints import HintSender, gateway_address
from hilum.records import Records

PATIENCE = 10.0  # seconds; a gateway that runs answers at once


def ask(records: Records, data: Path, action: str, workitem_id: str, reason: str) -> str | None:
    """The gateway's answer, or None if none runs now: the request is kept and done later."""
    number = records.add_request(action, workitem_id, reason)
    with closing(HintSender(gateway_address(data))) as hints:
        hints.send("asked")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if answer := records.one(tables.request, id=number)["answer"]:
            return str(answer)
        time.sleep(0.05)
    return None
