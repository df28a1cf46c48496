"""How a DICOM archive answers when it is asked (C-FIND)."""

from hilum.records.states import DeliveryState
from hilum.transport.query import PATIENT_ROOT_FIND
from hilum_lab.archives.behaviour import EVERY, QUERY_AE_TITLE, DimseBehaviour
from hilum_lab.archives.dimse import WELL
from hilum_lab.odd_archives.case import ArchiveCase, Cure, KnownLater

GROUP = "DICOM: how it can be asked"
NOT_SHOWN, ACCEPTED = DeliveryState.NOT_SHOWN, DeliveryState.ACCEPTED
ONLY_ACCEPTED = Cure(
    "set proof",
    'proof = "accepted", restart',
    settings={"proof": "accepted"},
    state=ACCEPTED,
)
ELSEWHERE = Cure(
    "query_port",
    "query_port and query_ae_title, restart",
    settings={"query_port": KnownLater.QUERY_PORT, "query_ae_title": QUERY_AE_TITLE},
)

CASES = (
    ArchiveCase(GROUP, "shows it after four seconds", DimseBehaviour(lag_seconds=4)),
    ArchiveCase(GROUP, "has no C-FIND", DimseBehaviour(models=()), NOT_SHOWN, cure=ONLY_ACCEPTED),
    ArchiveCase(
        GROUP,
        "has no C-FIND; another node answers for it",
        WELL,
        NOT_SHOWN,
        cure=ELSEWHERE,
    ),
    ArchiveCase(
        GROUP,
        "has no C-FIND, and the settings say so",
        DimseBehaviour(models=()),
        ACCEPTED,
        settings={"proof": "accepted"},
    ),
    ArchiveCase(
        GROUP,
        "is a router that keeps nothing, and the settings say so",
        DimseBehaviour(models=(), keeps=False),
        ACCEPTED,
        settings={"proof": "accepted"},
    ),
    ArchiveCase(
        GROUP,
        "refuses queries for images (0xA900), and counts those of a series",
        DimseBehaviour(find_statuses={"IMAGE": 0xA900}),
    ),
    ArchiveCase(
        GROUP,
        "refuses queries for images (0xC000), and counts those of a series",
        DimseBehaviour(find_statuses={"IMAGE": 0xC000}),
    ),
    ArchiveCase(
        GROUP,
        "refuses queries for images, and counts nothing",
        DimseBehaviour(find_statuses={"IMAGE": 0xA900}, counts=False),
        ACCEPTED,
    ),
    ArchiveCase(
        GROUP,
        "finds no image ever, and counts those of a series",
        DimseBehaviour(empty_levels=frozenset({"IMAGE"})),
    ),
    ArchiveCase(
        GROUP,
        "finds no image ever, and counts nothing",
        DimseBehaviour(empty_levels=frozenset({"IMAGE"}), counts=False),
        NOT_SHOWN,
        cure=Cure("look for it there", "the archive finds images", WELL),
    ),
    ArchiveCase(
        GROUP,
        "refuses every query (0xA900)",
        DimseBehaviour(find_statuses={EVERY: 0xA900}),
        NOT_SHOWN,
        cure=Cure("its log names the cause", "the archive answers queries", WELL),
    ),
    ArchiveCase(
        GROUP,
        "refuses every query (0xC000)",
        DimseBehaviour(find_statuses={EVERY: 0xC000}),
        NOT_SHOWN,
        cure=Cure("its log names the cause", "the archive answers queries", WELL),
    ),
    ArchiveCase(
        GROUP,
        "breaks off every query, because it does not know our AE title",
        DimseBehaviour(breaks_off_queries=True),
        NOT_SHOWN,
        cure=Cure("register AE title", "registered", WELL),
    ),
    ArchiveCase(GROUP, "gives one match of each query", DimseBehaviour(limit=1)),
    ArchiveCase(
        GROUP,
        "gives one match of each query, and ends longer lists with 0xA700",
        DimseBehaviour(limit=1, limit_status=0xA700),
        NOT_SHOWN,
        cure=Cure("its limit lets it give: raise that", "the limit is raised", WELL),
    ),
    ArchiveCase(
        GROUP,
        "gives one match of each query, and ends longer lists with 0xC001",
        DimseBehaviour(limit=1, limit_status=0xC001),
    ),
    ArchiveCase(
        GROUP,
        "is asked at another node, which rejects our association",
        DimseBehaviour(rejects_queries=True),
        NOT_SHOWN,
        settings=ELSEWHERE.settings,
        cure=Cure("does not know us: register AE title", "registered", WELL),
    ),
    ArchiveCase(
        GROUP,
        "can be asked by the Patient Root only",
        DimseBehaviour(models=(PATIENT_ROOT_FIND,)),
    ),
)
