"""Rows of the records are values: what is written is what is read, also where a row is older."""

import builtins
import collections.abc
import dataclasses
import json
import types
import typing
from contextlib import closing
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from factory import a_workitem, put
from hilum.config.site import Rule
from hilum.records import Records, tables, views
from hilum.records.assessed import Assessment
from hilum.records.durations import Duration
from hilum.records.listed import ListedStudy
from hilum.records.models.alarms import BegunAlarm, Notice, NotifierStanding
from hilum.records.models.deliveries import (
    CommitmentRequest,
    Delivery,
    DeliveryReceipt,
    WrittenResult,
)
from hilum.records.models.patients import Correction, Decision, FormerLabel
from hilum.records.models.requests import Request, WorklistStep
from hilum.records.models.standings import (
    DestinationStanding,
    Executor,
    NotedPause,
    SourceStanding,
    WorklistStanding,
)
from hilum.records.models.studies import Event, Removal, Study, StudyAddress, UploadedStudy
from hilum.records.models.workitems import Subject, Workitem, WorkitemOutline
from hilum.records.rows import Rows, insert
from hilum.rejections import Rejection
from hilum.summary.remarks import NoteSummary

OUTLINES = {"workitem": WorkitemOutline}
MODELS: dict[str, type] = {
    "workitem": Workitem,
    "assessment": Assessment,
    "result": WrittenResult,
    "delivery": Delivery,
    "receipt": DeliveryReceipt,
    "commitment": CommitmentRequest,
    "destination": DestinationStanding,
    "event": Event,
    "study": Study,
    "address": StudyAddress,
    "source": SourceStanding,
    "removal": Removal,
    "decision": Decision,
    "correction": Correction,
    "former": FormerLabel,
    "subject": Subject,
    "alarm": BegunAlarm,
    "pause": NotedPause,
    "upload": UploadedStudy,
    "notice": Notice,
    "notifier": NotifierStanding,
    "rejection": Rejection,
    "executor": Executor,
    "request": Request,
    "step": WorklistStep,
    "worklist": WorklistStanding,
    "duration": Duration,
}
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(0, 2**31 - 1),
    float: st.floats(0, 2e9),
    bool: st.booleans(),
    type(None): st.none(),
    Path: TEXT.map(Path),
    Rule: st.builds(Rule, module=TEXT, send_to=st.lists(TEXT).map(tuple)),
}


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values that a field with this type can have; a dataclass is made of those of its fields."""
    if hint in SIMPLE:
        return SIMPLE[hint]
    if dataclasses.is_dataclass(hint):
        fields = get_type_hints(hint).items()
        return st.builds(hint, **{name: values_of(field) for name, field in fields})
    inner = get_args(hint)
    match get_origin(hint):
        case typing.Literal:
            return st.sampled_from(inner)
        case types.UnionType | typing.Union:
            return st.one_of(*map(values_of, inner))
        case builtins.tuple:
            if inner[-1] is not ...:  # so many, each of its own type
                return st.tuples(*map(values_of, inner))
            return st.lists(values_of(inner[0]), max_size=3).map(tuple)
        case collections.abc.Mapping:
            return st.dictionaries(TEXT, values_of(inner[1]), max_size=3)
    return st.sampled_from(hint)  # an enum


def test_every_table_has_a_model_with_its_columns() -> None:
    assert MODELS.keys() == tables.metadata.tables.keys() - {"listing"}
    lines = {c.name for t in (tables.listing, tables.address, tables.study) for c in t.columns}
    assert {field.name for field in dataclasses.fields(ListedStudy)} <= lines
    for name, model in MODELS.items():
        columns = {column.name for column in tables.metadata.tables[name].columns}
        assert {field.name for field in dataclasses.fields(model)} == columns, name
    for name, outline in OUTLINES.items():
        whole, part = get_type_hints(MODELS[name]), get_type_hints(outline)
        assert part.items() <= whole.items()


@pytest.mark.parametrize("name", MODELS)
def test_a_row_is_read_as_it_was_written(name: str) -> None:
    model, table = MODELS[name], tables.metadata.tables[name]

    @given(row=values_of(model))
    @settings(deadline=None)
    def check(row: Any) -> None:
        records.database.transact(lambda c: c.execute(table.delete()))
        assert records.database.transact(lambda c: insert(c, table, row))
        assert Rows(records.database, table, model).find() == [row]
        json.dumps(views.as_json(row))

    with closing(Records("sqlite://")) as records:
        check()


def test_a_row_of_another_version_is_read_too() -> None:
    """A setting that is no more, a verdict and findings without what they have got since."""
    with closing(Records("sqlite://")) as records:
        put(records, a_workitem())
        verdict = {"input": "series", "series_uid": "1.2", "description": "T1", "images": 3}
        columns = {
            "rule": {"module": "m", "send_to": ["pacs"], "no_longer_known": 5},
            "verdicts": [{**verdict, "accepted": True, "reasons": ["MR as the module needs"]}],
            "findings": [{"kind": "note", "text": "A remark."}],
        }
        statement = sa.update(tables.workitem).values(columns)
        records.database.transact(lambda c: c.execute(statement))
        item = records.workitems.one("1.2.3")
    assert item.rule == Rule(module="m", send_to=("pacs",))
    assert item.rule.tilt == "refuse"  # as that version did
    assert item.verdicts[0].is_named
    assert item.findings == (NoteSummary("A remark."),)
