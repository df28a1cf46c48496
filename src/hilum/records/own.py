"""Our own results, as far as the records and the installed modules know them."""

from collections.abc import Iterable

import sqlalchemy as sa

from hilum.dicom.own import OwnResults
from hilum.module import ModuleFacts
from hilum.records import Records, tables


def own_results(records: Records, modules: Iterable[ModuleFacts]) -> OwnResults:
    """Those on record, and those of the `modules`, or of modules and weights that ran before."""
    table = tables.workitem
    query = sa.select(table.c.module, table.c.version, table.c.title, table.c.weights_sha256)
    before = [
        ModuleFacts(row["module"], row["version"], row["title"], row["weights_sha256"])
        for row in records.select(query.distinct())
    ]

    def is_recorded(sop_instance_uid: str) -> bool:
        return bool(records.find(tables.result, sop_instance_uid=sop_instance_uid))

    return OwnResults({module.device_uid for module in (*modules, *before)}, is_recorded)
