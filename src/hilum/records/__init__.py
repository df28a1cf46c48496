"""Our records, on SQLite or PostgreSQL: one file here for the queries of each table.

Rows are the values of `models`, their states and kinds the enums of states.py. What belongs
together in one transaction is one method here.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import NoReturn

from hilum.config.site import RECORDS, Site
from hilum.errors import RecordsUnusable
from hilum.records.alarms import AlarmRecords
from hilum.records.analyses import AnalysisRecords
from hilum.records.assessments import AssessmentRecords
from hilum.records.commitments import CommitmentRecords
from hilum.records.corrections import CorrectionRecords
from hilum.records.database import Database, raise_it
from hilum.records.deliveries import DeliveryRecords
from hilum.records.durations import DurationRecords
from hilum.records.events import EventRecords
from hilum.records.executors import ExecutorRecords
from hilum.records.exports import ExportRecords
from hilum.records.flowing import FlowRecords
from hilum.records.identifiers import IdentifierRecords
from hilum.records.moves import MoveRecords
from hilum.records.notices import NoticeRecords
from hilum.records.pauses import PauseRecords
from hilum.records.receipts import ReceiptRecords
from hilum.records.rejections import RejectionRecords
from hilum.records.requests import RequestRecords
from hilum.records.results import ResultRecords
from hilum.records.schema import Transact, make_or_require
from hilum.records.search import SearchRecords
from hilum.records.standings import DestinationRecords, SourceRecords, WorklistRecords
from hilum.records.steps import StepRecords
from hilum.records.studies import StudyRecords
from hilum.records.uploads import UploadRecords
from hilum.records.workitems import WorkitemRecords

PATIENCE_OF_COMMANDS = 10.0  # in s, with a database that does not answer


def records_url(site: Site) -> str:
    """SQLAlchemy URL of our records."""
    return site.database or f"sqlite:///{site.data / RECORDS}"


class Records:
    """The records at `url`. A database that does not answer is waited for, `patience` s at most.

    `prepare` sees to the tables first.

    Raises
    ------
    RecordsUnavailable
        By every method, when the patience is at its end.
    OtherVersionError
        Another version of Hilum made the tables.
    RecordsUnusable
        By every method, when the database is damaged or gone, unless `on_damage` does otherwise.
    ConfigurationError
        The URL is none, or of a database whose driver is not installed.
    """

    def __init__(
        self,
        url: str,
        patience: float = float("inf"),
        prepare: Callable[[Transact], None] = make_or_require,
        on_damage: Callable[[RecordsUnusable], NoReturn] = raise_it,
    ) -> None:
        self.database = database = Database(url, patience, on_damage)
        with ExitStack() as unprepared:
            unprepared.callback(database.close)
            prepare(database.transact)
            unprepared.pop_all()
        self.studies = StudyRecords(database)
        self.identifiers = IdentifierRecords(database)
        self.search = SearchRecords(database)
        self.events = EventRecords(database)
        self.workitems = WorkitemRecords(database)
        self.moves = MoveRecords(database)
        self.results = ResultRecords(database)
        self.assessments = AssessmentRecords(database)
        self.deliveries = DeliveryRecords(database)
        self.receipts = ReceiptRecords(database)
        self.commitments = CommitmentRecords(database)
        self.corrections = CorrectionRecords(database)
        self.requests = RequestRecords(database)
        self.uploads = UploadRecords(database)
        self.steps = StepRecords(database)
        self.sources = SourceRecords(database)
        self.worklists = WorklistRecords(database)
        self.destinations = DestinationRecords(database)
        self.pauses = PauseRecords(database)
        self.rejections = RejectionRecords(database)
        self.alarms = AlarmRecords(database)
        self.notices = NoticeRecords(database)
        self.analyses = AnalysisRecords(database)
        self.durations = DurationRecords(database)
        self.flow = FlowRecords(database)
        self.exports = ExportRecords(database)
        self.executors = ExecutorRecords(database)

    def close(self) -> None:
        """Close the connections to the database."""
        self.database.close()
