"""Our own results, as far as the records and the installed modules know them."""

from collections.abc import Iterable

from hilum.dicom.own import OwnResults
from hilum.module import ModuleFacts
from hilum.records import Records


def own_results(records: Records, modules: Iterable[ModuleFacts]) -> OwnResults:
    """Those on record, and those of the `modules`, or of modules and weights that ran before."""
    before = [ModuleFacts(*facts) for facts in records.workitems.made_by()]

    def is_recorded(sop_instance_uid: str) -> bool:
        return records.results.called(sop_instance_uid) is not None

    return OwnResults({module.device_uid for module in (*modules, *before)}, is_recorded)
