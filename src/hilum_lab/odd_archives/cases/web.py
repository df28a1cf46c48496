"""What archives do by DICOMweb."""

from hilum.records.states import DeliveryState
from hilum.results import SOP_CLASSES
from hilum_lab.archives.behaviour import EVERY, StowBody, WebBehaviour
from hilum_lab.archives.dicomweb import WELL
from hilum_lab.odd_archives.case import Act, ArchiveCase, Cure, KnownLater

STOW, ASKING = "DICOMweb: what STOW-RS is answered with", "DICOMweb: how it can be asked"
REFUSED, NOT_SHOWN = DeliveryState.REFUSED, DeliveryState.NOT_SHOWN
SEG = SOP_CLASSES["seg"]
TOKEN = "a-token-for-trial"
BUNDLE_BYTES = 16_000  # each of the two objects is smaller, and both are larger
ONLY_ACCEPTED = Cure(
    'proof = "accepted"',
    'proof = "accepted", restart',
    settings={"proof": "accepted"},
    state=DeliveryState.ACCEPTED,
)
ELSEWHERE = Cure("query_url", "query_url, restart", settings={"query_url": KnownLater.QUERY_URL})


def _without_queries(status: int, cure: Cure) -> ArchiveCase:
    name = f"does not answer queries ({status})"
    if cure is ELSEWHERE:
        name = f"{name}; another address does"
    return ArchiveCase(ASKING, name, WebBehaviour(qido_status=status), NOT_SHOWN, cure=cure)


CASES = (
    ArchiveCase(STOW, "takes it", WELL),
    ArchiveCase(STOW, "takes it, and its answer has no body", WebBehaviour(body=StowBody.EMPTY)),
    ArchiveCase(STOW, "takes it, and answers in XML", WebBehaviour(body=StowBody.XML)),
    ArchiveCase(
        STOW,
        "does not store segmentations (202 with 0x0122)",
        WebBehaviour(reasons={SEG: 0x0122}),
        REFUSED,
        cure=Cure(
            "objects of the destination",
            'objects = ["sr"], restart',
            settings={"objects": ["sr"]},
        ),
    ),
    ArchiveCase(
        STOW,
        "has the study under another Patient ID (409 with 0xA778 and a Warning)",
        WebBehaviour(
            reasons={EVERY: 0xA778}, warning='299 archive "Patient ID 1 differs from Patient ID 2"'
        ),
        REFUSED,
        cure=Cure("correct the patient", "corrected", WELL, sent=2),
    ),
    ArchiveCase(
        STOW,
        "cannot understand it (409 with 0xC000)",
        WebBehaviour(reasons={EVERY: 0xC000}),
        REFUSED,
        cure=Cure("validate the file", "the archive is corrected", WELL, sent=2),
    ),
    ArchiveCase(
        STOW,
        "has no room for a while (409 with 0xA700)",
        WebBehaviour(full_first=1),
        sent=2,
        why="it was refused the first time",
    ),
    ArchiveCase(
        STOW,
        "takes no request of two objects (413)",
        WebBehaviour(largest_bytes=BUNDLE_BYTES),
    ),
    ArchiveCase(
        STOW,
        "takes no request of that size (413)",
        WebBehaviour(largest_bytes=100),
        REFUSED,
        sent=0,
        cure=Cure("raise the limit there", "the limit is raised", WELL),
    ),
    ArchiveCase(STOW, "is busy for a while (503 with Retry-After)", WebBehaviour(busy_first=2)),
    *(
        ArchiveCase(
            STOW,
            f"has moved within the same host ({status})",
            WebBehaviour(redirects=status),
            settings={"url": KnownLater.OLD_URL},
        )
        for status in (301, 307, 308)
    ),
    ArchiveCase(
        STOW,
        "has moved to another host (308)",
        WebBehaviour(redirects=308, redirect_to="http://other-host.invalid"),
        REFUSED,
        settings={"url": KnownLater.OLD_URL},
        sent=0,
        cure=Cure("other-host.invalid", "url, restart", settings={"url": KnownLater.NEW_URL}),
    ),
    ArchiveCase(
        STOW,
        "has moved from https to http (308)",
        WebBehaviour(redirects=308, is_encrypted=True),
        REFUSED,
        settings={"url": KnownLater.OLD_HTTPS_URL, "tls": KnownLater.CERTIFICATE},
        sent=0,
        cure=Cure("it redirects to http://", "url, restart", settings={"url": KnownLater.NEW_URL}),
    ),
    ArchiveCase(
        STOW,
        "wants a Bearer token (401)",
        WebBehaviour(token=TOKEN),
        REFUSED,
        sent=0,
        cure=Cure(
            "token_file", "token_file, restart", settings={"token_file": KnownLater.TOKEN_FILE}
        ),
    ),
    ArchiveCase(
        STOW,
        "does not let us store (403)",
        WebBehaviour(stow_status=403),
        REFUSED,
        sent=0,
        cure=Cure("give it the right", "the right is given", WELL),
    ),
    ArchiveCase(
        STOW,
        "has no STOW-RS (405)",
        WebBehaviour(stow_status=405),
        REFUSED,
        sent=0,
        cure=Cure("enable STOW-RS", "enabled", WELL),
    ),
    ArchiveCase(
        STOW,
        "has an address that was written with /studies at its end",
        WELL,
        settings={"url": KnownLater.STUDIES_URL},
    ),
    ArchiveCase(
        STOW,
        "keeps it, and breaks off in place of an answer",
        WebBehaviour(drop_first=1),
    ),
    ArchiveCase(
        STOW,
        "breaks off in place of an answer, and has not kept it",
        WebBehaviour(drop_first=1, drop_keeps=False),
        sent=2,
        why="nobody knew whether it had arrived; the archive was asked, and did not show it",
    ),
    ArchiveCase(
        STOW,
        "takes it and keeps nothing",
        WebBehaviour(keeps=False),
        NOT_SHOWN,
        cure=Cure("hilum release", "the archive keeps what it takes", WELL, sent=2),
    ),
    _without_queries(404, ONLY_ACCEPTED),
    _without_queries(405, ELSEWHERE),
    _without_queries(501, ONLY_ACCEPTED),
    ArchiveCase(
        ASKING,
        "does not answer queries, and the settings say so",
        WebBehaviour(qido_status=404),
        DeliveryState.ACCEPTED,
        settings={"proof": "accepted"},
    ),
    ArchiveCase(
        ASKING,
        "is a router that keeps nothing, and the settings say so",
        WebBehaviour(qido_status=501, keeps=False),
        DeliveryState.ACCEPTED,
        settings={"proof": "accepted"},
    ),
    ArchiveCase(
        ASKING,
        "does not let us ask (403)",
        WebBehaviour(qido_status=403),
        NOT_SHOWN,
        cure=Cure("give it the right", "the right is given", WELL),
    ),
    ArchiveCase(
        ASKING,
        "finds nothing ever (204)",
        WebBehaviour(qido_status=204),
        NOT_SHOWN,
        cure=Cure("look for it there", "the archive finds what it has", WELL),
    ),
    ArchiveCase(ASKING, "shows it after four seconds", WebBehaviour(lag_seconds=4)),
    ArchiveCase(ASKING, "gives one match of each query", WebBehaviour(limit=1)),
    ArchiveCase(
        ASKING,
        "gives its answers another content type",
        WebBehaviour(content_type="application/json; charset=utf-8"),
    ),
    ArchiveCase(
        ASKING,
        "gives it a new SOP Instance UID",
        WebBehaviour(coerces=frozenset({"SOPInstanceUID"})),
        NOT_SHOWN,
        cure=Cure("look for it there", "the archive keeps UIDs as they are", WELL, sent=2),
    ),
    ArchiveCase(
        ASKING,
        "has the images under another Patient ID",
        WELL,
        DeliveryState.MISFILED,
        images={"PatientID": "CORRECTED"},
        cure=Cure("hilum decide", "decided for the patient of the archive", act=Act.DECIDE),
    ),
)
