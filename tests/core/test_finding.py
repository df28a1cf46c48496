"""Studies are found by patient, order, date and state: as a plain filter in Python finds them."""

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from factory import a_delivery, a_study, a_workitem, put
from hilum.errors import HilumError
from hilum.records import Records, listing, tables, views
from hilum.records.listed import ListedStudy, StudyIdentifiers, folded
from hilum.records.search import StudyQuery
from hilum.records.states import StudyOrder, StudyState, WorkitemState
from hilum.study.verdict import Verdict
from tests.drawn import examples
from tests.postgres import Postgres


@dataclass(frozen=True)
class Known:
    """A study as the tests know it: nothing here is read from the records."""

    uid: str
    last_at: float
    said: StudyIdentifiers
    items: tuple[tuple[str, WorkitemState, str], ...]  # module, state, reason
    address: str = ""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def records(request: pytest.FixtureRequest) -> Iterator[Records]:
    url = "sqlite://"
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        url = postgres.database()
    with closing(Records(url)) as opened:
        yield opened


VERDICT = Verdict("series", "1.2", "", 1, False, ())  # of a series that fits: lists tell of it


def fill(records: Records, studies: Sequence[Known]) -> list[Known]:
    """Put exactly these on record; the same with their addresses."""
    for table in reversed(tables.metadata.sorted_tables):
        records.database.transact(partial(_empty, table=table))
    for study in studies:
        put(records, a_study(study_uid=study.uid, folder=study.uid, last_at=study.last_at))
        records.studies.reviewed(study.uid, 3, study.last_at, 3, study.said)
        for number, (module, state, reason) in enumerate(study.items):
            put(
                records,
                a_workitem(
                    id=f"{study.uid}.{number}",
                    study_uid=study.uid,
                    module=module,
                    state=state,
                    reason=reason,
                    verdicts=(replace(VERDICT, reasons=(reason,)),),
                ),
            )
    addresses = records.identifiers.addresses([study.uid for study in studies])
    return [replace(study, address=addresses[study.uid]) for study in studies]


def _empty(connection, table) -> None:  # type: ignore[no-untyped-def]
    connection.execute(table.delete())


# The plain filter ---------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Without case and the accents of the letters that the tests use."""
    apart = unicodedata.normalize("NFD", text.lower().replace("ß", "ss"))
    return "".join(c for c in apart if unicodedata.category(c) != "Mn")


def is_number(wanted: str, stated: str) -> bool:
    if not wanted.rstrip("*"):
        return True
    if wanted.endswith("*"):
        return plain(stated).startswith(plain(wanted[:-1]))
    return plain(stated) == plain(wanted)


def words_in(wanted: str, *stated: str) -> bool:
    return all(any(word in plain(text) for text in stated) for word in plain(wanted).split())


def is_wanted(study: Known, query: StudyQuery) -> bool:
    said = study.said
    name = said.patient_name.replace("^", " ").replace("=", " ")
    states = {StudyState(state) for _, state, _ in study.items} or {StudyState.NO_RULE}
    day = date.fromisoformat(said.study_date) if said.study_date else None
    first, last = query.first_date or date.min, query.last_date or date.max
    return all(
        (
            is_number(query.patient_id, said.patient_id),
            is_number(query.accession_number, said.accession_number),
            words_in(query.patient_name, name),
            words_in(query.description, said.description),
            words_in(query.reason, *(reason for *_, reason in study.items)),
            not query.modalities or set(query.modalities) & set(said.modalities),
            not query.modules or set(query.modules) & modules_of(study, passed_over=False),
            not query.passed_over or set(query.passed_over) & modules_of(study, passed_over=True),
            not query.states or set(query.states) & states,
            query.first_date is query.last_date is None or (day and first <= day <= last),
            all(is_meant(study, word, name) for word in query.words),
        )
    )


def modules_of(study: Known, passed_over: bool) -> set[str]:
    """Its modules that were, or were not, applicable."""
    return {
        module
        for module, state, _ in study.items
        if (state is WorkitemState.NOT_APPLICABLE) is passed_over
    }


def is_meant(study: Known, word: str, name: str) -> bool:
    said = study.said
    numbers = (said.patient_id, said.accession_number)
    is_start = any(number and plain(number).startswith(plain(word)) for number in numbers)
    is_it = word in (study.address, study.uid)
    return is_start or is_it or words_in(word, name) or words_in(word, said.description)


NAMES = ("Müller^Jörg", "MULLER^ANNA", "Weiß^Eva", "山田^太郎=やまだ^たろう", "O'Neil_50%", "")
NUMBERS = ("123", "1234", "A77", "a7_", "A7%", "")
DAYS = ("20260101", "20260131", "20260201", "")
REASONS = ("6.5 mm slices", "verified in PACS2", "No matching series", "")
MODULES = ("hippocampal-volume", "chest-radiograph")
PARTS = ("mul", "JORG", "ü", "weiss", "太", "やま", "_", "%", "50%", "mm slices", "")
STATES = (
    WorkitemState.PARKED,
    WorkitemState.COMPLETED,
    WorkitemState.HELD,
    WorkitemState.RUNNING,
    WorkitemState.NOT_APPLICABLE,
)

identifiers = st.builds(
    StudyIdentifiers,
    patient_id=st.sampled_from(NUMBERS),
    patient_name=st.sampled_from(NAMES),
    accession_number=st.sampled_from(NUMBERS),
    study_date=st.sampled_from(DAYS),
    description=st.sampled_from(("Brain MR", "Thorax müde", "")),
    modalities=st.sampled_from(((), ("MR",), ("CT", "SR"))),
)
items = st.lists(
    st.tuples(st.sampled_from(MODULES), st.sampled_from(STATES), st.sampled_from(REASONS)),
    max_size=2,
).map(tuple)
studies_on_record = st.lists(st.tuples(identifiers, items, st.integers(1, 3)), max_size=7).map(
    lambda several: [
        Known(f"1.2.{number}", float(at), said, of) for number, (said, of, at) in enumerate(several)
    ]
)
days = st.none() | st.sampled_from([date(2026, 1, 1), date(2026, 1, 31), date(2026, 2, 1)])
queries = st.builds(
    StudyQuery,
    words=st.lists(st.sampled_from((*PARTS, "123", "a7", "1.2.1", "brain")), max_size=2).map(tuple),
    patient_id=st.sampled_from(("", "123", "12*", "A7*", "a77", "*", "7*")),
    patient_name=st.sampled_from(PARTS),
    accession_number=st.sampled_from(("", "A77", "a7_*", "A7%")),
    description=st.sampled_from(("", "MUDE", "br")),
    first_date=days,
    last_date=days,
    modalities=st.sampled_from(((), ("MR",), ("SR", "XX"))),
    modules=st.sampled_from(((), (MODULES[0],))),
    passed_over=st.sampled_from(((), (MODULES[0],))),
    states=st.sampled_from(((), (StudyState.HELD, StudyState.NO_RULE), (StudyState.PARKED,))),
    reason=st.sampled_from(("", "pacs2", "MM", "%")),
)
ONE = st.sampled_from(
    [
        "words",
        "patient_id",
        "patient_name",
        "accession_number",
        "description",
        "first_date",
        "modalities",
        "modules",
        "passed_over",
        "states",
        "reason",
    ]
)


@given(on_record=studies_on_record, query=queries, alone=ONE | st.none(), size=st.integers(1, 3))
@examples(40, 600, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_search_finds_what_a_plain_filter_does(
    records: Records, on_record: list[Known], query: StudyQuery, alone: str | None, size: int
) -> None:
    """Whatever the page size: each one once, in order, on pages that are full."""
    if alone:  # or hardly any study would meet all conditions
        query = replace(StudyQuery(), **{alone: getattr(query, alone)})
    known = fill(records, on_record)
    wanted = [study for study in known if is_wanted(study, query)]
    for order in StudyOrder:
        ordered = replace(query, order=order)
        first = views.find(records, ordered, size=size)
        numbers = range(2, first.pages + 1)
        pages = [first, *(views.find(records, ordered, number, size) for number in numbers)]
        found = [study for page in pages for study in page.studies]
        assert [one.study_uid for one in found] == [s.uid for s in in_order(wanted, order, found)]
        assert first.total == len(wanted)
        assert all(len(page.studies) == size for page in pages[:-1])


def in_order(
    studies: Sequence[Known], order: StudyOrder, found: Sequence[ListedStudy]
) -> list[Known]:
    newest = sorted(studies, key=lambda study: (study.last_at, study.uid), reverse=True)
    if order is StudyOrder.OLDEST:
        return newest[::-1]
    if order is StudyOrder.STATE:
        state = {one.study_uid: list(StudyState).index(one.state) for one in found if one.state}
        return sorted(newest, key=lambda study: state.get(study.uid, -1))
    return newest


# Examples -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "typed"),
    [
        ("Müller", "MULLER"),
        ("Mu\u0308ller", "Müller"),
        ("Weiß", "weiss"),
        ("Sørensen", "sorensen"),
        ("ŁUKASZ", "lukasz"),
        ("İnci", "inci"),
        ("ﾔﾏﾀﾞ", "ヤマダ"),
        ("Ángel  de", "angel de"),
    ],
)
def test_case_and_accents_do_not_count(stated: str, typed: str) -> None:
    assert folded(stated) == folded(typed)


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)


def test_voice_marks_of_kana_do_count() -> None:
    assert folded("か") != folded("が")


def test_every_group_of_a_name_and_every_patient_of_a_study_is_found(records: Records) -> None:
    said = StudyIdentifiers(
        patient_id="1",
        patient_name="Yamada^Tarou=山田^太郎=やまだ^たろう",
        others=(("patient_id", "22"), ("patient_name", "Doe^Jane")),
    )
    fill(records, [Known("1.2.1", 1.0, said, ())])
    for query in (
        *(StudyQuery(patient_name=name) for name in ("tarou yamada", "山田", "たろう", "jane")),
        *(StudyQuery(patient_id=number) for number in ("1", "22", "2*")),
        StudyQuery(words=("JANE^doe",)),
    ):
        assert views.find(records, query).total == 1
    assert views.find(records, StudyQuery(patient_id="2")).total == 0


@pytest.mark.parametrize("text", ["\0", "\ud800", "%", "_", "\\", "'", "|", "\n", "^"])
def test_no_text_breaks_a_search(records: Records, text: str) -> None:
    fill(records, [Known("1.2.1", 1.0, StudyIdentifiers(patient_name="Doe"), ())])
    texts = {name: text for name in ("patient_name", "patient_id", "reason", "description")}
    for name, value in texts.items():
        views.find(records, replace(StudyQuery(), **{name: value}))
    views.find(records, StudyQuery(words=(text,), modules=(text,), modalities=(text,)))


def test_too_much_is_refused() -> None:
    with pytest.raises(HilumError, match="more than 300 characters"):
        StudyQuery(patient_name="x" * 301)
    with pytest.raises(HilumError, match="more than 40 words"):
        StudyQuery(words=("x",) * 41)


def test_forty_words_are_not_too_many_for_the_database(records: Records) -> None:
    fill(records, [Known("1.2.1", 1.0, StudyIdentifiers(patient_name="x"), ())])
    assert views.find(records, StudyQuery(words=("x",) * 40)).total == 1


def test_a_page_that_is_not_there_is_named(records: Records) -> None:
    fill(records, [])
    assert views.find(records, StudyQuery()).pages == 1
    with pytest.raises(HilumError, match="there is no page 2; the last one is 1"):
        views.find(records, StudyQuery(), 2)


def test_patient_data_do_not_show_where_values_are_printed(records: Records) -> None:
    marker = "MARKER"
    said = StudyIdentifiers(marker, marker, marker, marker, marker[:8], marker)
    query = StudyQuery((marker,), marker, marker, marker, marker, reason=marker)
    fill(records, [Known("1.2.1", 1.0, replace(said, study_date=""), ())])
    (line,) = views.find(records, StudyQuery(words=(marker,))).studies
    assert line.patient_name == marker
    assert marker not in f"{said!r} {query!r} {line!r}"


def test_an_address_is_a_name_of_the_study(records: Records) -> None:
    (known,) = fill(records, [Known("1.2.1", 1.0, StudyIdentifiers(), ())])
    assert views.study_called(records, known.address) == known.uid
    assert views.study(records, known.uid).address == known.address
    assert views.find(records, StudyQuery(words=(known.address,))).total == 1


def test_addresses_are_made_by_chance() -> None:
    made = {listing.new_address() for _ in range(1000)}
    assert len(made) == 1000
    for address in made:
        assert len(address) == 12
        assert address[0].isascii() and address[0].islower()
        assert address.isascii() and address.isalnum() and address == address.lower()


def test_the_line_follows_deliveries(records: Records) -> None:
    from hilum.records.states import DeliveryState

    done = (("m", WorkitemState.DELIVERING, "written"),)
    fill(records, [Known("1.2.1", 1.0, StudyIdentifiers(), done)])
    deliveries = [a_delivery("1.2.1.0", name) for name in ("pacs", "pacs2")]
    put(records, *deliveries)
    records.deliveries.arrive(deliveries[0], DeliveryState.VERIFIED, "shown", 5.0)
    records.deliveries.delay(deliveries[1], "connection refused", 9.0)
    (line,) = views.find(records, StudyQuery()).studies
    assert (line.shown, line.destinations) == (1, 2)
    assert line.reason == "pacs2: connection refused"
    assert line.state is StudyState.DELIVERING
