"""The worklist manager as an SCP of UPS Pull, by pynetdicom's own services."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import UnifiedProcedureStepPull  # type: ignore[attr-defined]

from hilum_lab.network.processes import LOOPBACK
from tests.worklists.manager import DONE, SCHEDULED, UNKNOWN, WorklistManager


@contextmanager
def by_dimse(manager: WorklistManager, *syntaxes: str) -> Iterator[int]:
    """Answers UPS Pull at the port that is given, in one of `syntaxes` or in any usual one."""

    def find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        assert event.identifier.ProcedureStepState == SCHEDULED
        for ds in manager.found(SCHEDULED):
            yield 0xFF00, ds

    def get(event: Any) -> tuple[int, Dataset | None]:
        ds = manager.steps.get(event.request.RequestedSOPInstanceUID)
        return (UNKNOWN, None) if ds is None else (DONE, ds)

    def change(event: Any) -> tuple[int, None]:
        assert event.action_type == 1
        uid = event.request.RequestedSOPInstanceUID
        return manager.change_state(uid, event.action_information), None

    def update(event: Any) -> tuple[int, None]:
        uid = event.request.RequestedSOPInstanceUID
        return manager.update(uid, event.modification_list), None

    ae = AE("MANAGER")
    ae.add_supported_context(UnifiedProcedureStepPull, list(syntaxes) or None)
    handlers: list[Any] = [(evt.EVT_C_FIND, find), (evt.EVT_N_GET, get)]
    handlers += [(evt.EVT_N_ACTION, change), (evt.EVT_N_SET, update)]
    server = ae.start_server((LOOPBACK, 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
