"""Studies that an older Hilum has recorded have an address at once, and are found step by step."""

from contextlib import closing
from functools import partial
from pathlib import Path

from hilum.dicom.own import OwnResults
from hilum.inbox import Inbox
from hilum.records import Records, migrations, views
from hilum.records.search import StudyQuery
from hilum.records.states import StudyState
from hilum.study.identifying import note_older

from .databases import make_old, run

STUDIES = 1001  # more than one portion of the step
READ = 10  # of them, the newest: each of all would be read as these are, one after the other


def test_older_studies_are_listed_and_then_read(database: str, tmp_path: Path) -> None:
    make_old(database)
    rows = ", ".join(f"('1.2.{n}', 'f{n}', 3, 3, {n}, {n})" for n in range(STUDIES))
    run(
        database,
        "INSERT INTO study (study_uid, folder, images, settled_images, first_at, last_at)"
        f" VALUES {rows};",
    )
    with closing(Records(database, prepare=partial(migrations.upgrade, dead_seconds=0.1))) as found:
        page = views.find(found, StudyQuery())
        assert (page.total, page.unread) == (STUDIES, STUDIES)
        assert [one.study_uid for one in page.studies[:2]] == ["1.2.1000", "1.2.999"]
        assert page.studies[0].state is None
        addresses = found.identifiers.addresses([f"1.2.{n}" for n in range(STUDIES)])
        assert len(set(addresses.values())) == STUDIES
        assert views.study_called(found, addresses["1.2.7"]) == "1.2.7"
        for table in ("study", "listing"):
            run(database, f"DELETE FROM {table} WHERE last_at < {STUDIES - READ};")
        note_older(found, Inbox(tmp_path), OwnResults(()), pause=lambda _seconds: None)
        page = views.find(found, StudyQuery(states=(StudyState.NO_RULE,)))
        assert (page.total, page.unread) == (READ, 0)
