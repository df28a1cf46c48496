"""How a DICOM archive commits itself (PS3.4 J), where the settings ask for that."""

from hilum.records.states import DeliveryState
from hilum.results import SOP_CLASSES
from hilum_lab.archives.behaviour import Commits, DimseBehaviour
from hilum_lab.odd_archives.case import ArchiveCase, Cure

GROUP = "DICOM: storage commitment"
COMMITTED, NOT_SHOWN = DeliveryState.COMMITTED, DeliveryState.NOT_SHOWN
WELL = DimseBehaviour(commits=Commits.AT_ONCE)
BY_QUERY = 'proof = "query", restart'


def _case(
    name: str,
    behaviour: DimseBehaviour,
    state: DeliveryState = COMMITTED,
    cure: Cure | None = None,
) -> ArchiveCase:
    return ArchiveCase(GROUP, name, behaviour, state, {"proof": "commitment"}, cure=cure)


CASES = (
    _case("commits itself on the same association", WELL),
    _case("commits itself on a new association", DimseBehaviour(commits=Commits.LATER)),
    _case(
        "commits itself ten seconds later",
        DimseBehaviour(commits=Commits.LATER, commits_after_seconds=10),
    ),
    _case(
        "takes the request and never answers",
        DimseBehaviour(commits=Commits.NEVER),
        NOT_SHOWN,
        Cure("has not come", BY_QUERY, settings={"proof": "query"}),
    ),
    _case(
        "does not offer the service",
        DimseBehaviour(),
        NOT_SHOWN,
        Cure('set proof = "query"', BY_QUERY, settings={"proof": "query"}),
    ),
    _case(
        "does not commit itself to segmentations (0x0112)",
        DimseBehaviour(commits=Commits.AT_ONCE, commit_failures={SOP_CLASSES["seg"]: 0x0112}),
        NOT_SHOWN,
        Cure("look for it there", "the archive commits itself", WELL, state=COMMITTED),
    ),
)
