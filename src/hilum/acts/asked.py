"""The trace of a study with what people asked for, as the audit trail has it."""

from hilum.audit import AuditStore
from hilum.audit.told import ToldAct, acts_on_study
from hilum.config.site import Site
from hilum.records import Records
from hilum.records.states import EventKind
from hilum.records.views import TraceLine, trace


def trace_with_people(
    site: Site, records: Records, store: AuditStore, study_uid: str, with_reasons: bool = True
) -> list[TraceLine]:
    """Every event of one study and every request of a person, in order; then what is planned.

    Reasons may name the patient: `with_reasons` is for those who may see that.
    """
    modules = records.workitems.modules_of(study_uid)
    asked = [
        TraceLine(
            act.at,
            EventKind.PERSON,
            in_words(act, with_reasons),
            act.workitem,
            modules.get(act.workitem, ""),
        )
        for act in acts_on_study(store, study_uid)
    ]
    lines = trace(records, study_uid, site.in_order)
    planned = [line for line in lines if line.kind is EventKind.NEXT]
    happened = [line for line in lines if line.kind is not EventKind.NEXT]
    return [*sorted([*happened, *asked], key=lambda line: line.at), *planned]


def in_words(act: ToldAct, with_reasons: bool) -> str:
    """Who asked for what, and why if somebody is to see it."""
    why = f": {act.reason}" if act.reason and with_reasons else ""
    return f"{act.person} asked for {act.act}{why}"
