"""What is looked at before a start is looked at in another process, and told here all the same."""

import logging
import multiprocessing
from pathlib import Path

import pytest

from hilum.errors import HilumError, RecordsUnusable
from hilum.service.preparing import ENDED, _heard, _Telling


def test_what_the_other_process_logs_is_logged_here(caplog: pytest.LogCaptureFixture) -> None:
    here, there = multiprocessing.Pipe(duplex=False)
    with here, there:
        log = logging.Logger("hilum.records.database")
        log.addHandler(_Telling(there))
        log.warning("the records do not answer (%s), waiting", Path("gone"))
        there.send(RecordsUnusable("it is gone: put it back"))
        outcome = _heard(here)
    assert isinstance(outcome, RecordsUnusable)
    assert str(outcome) == "it is gone: put it back"
    (told,) = caplog.records
    assert (told.name, told.levelno) == ("hilum.records.database", logging.WARNING)
    assert told.getMessage() == "the records do not answer (gone), waiting"


def test_a_process_that_ends_without_an_answer_is_told_as_that() -> None:
    here, there = multiprocessing.Pipe(duplex=False)
    there.close()
    with here:
        outcome = _heard(here)
    assert isinstance(outcome, HilumError)
    assert str(outcome) == ENDED
