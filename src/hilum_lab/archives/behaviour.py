"""How an archive behaves, as data. What is not said is as it should be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from hilum.transport import query

EVERY = "*"  # stands for every SOP class, or every level of a query
AE_TITLE = "ARCHIVE"
QUERY_AE_TITLE = "QUERIES"  # of the node that is asked, where that is another one
RECEIVER_AE_TITLE = "HIPPOAI"  # to whom answers go that come later


class Commits(StrEnum):
    """How the answer to a request for storage commitment comes (PS3.4 J.3)."""

    NOT = "not"  # the service is not offered
    AT_ONCE = "at once"  # on the association of the request
    LATER = "later"  # on an association of its own
    NEVER = "never"


class StowBody(StrEnum):
    """What the answer to STOW-RS consists of."""

    JSON = "json"
    XML = "xml"
    EMPTY = "empty"


@dataclass(frozen=True)
class Keeping:
    """What becomes of what an archive takes, by either protocol.

    Attributes
    ----------
    keeps
        Keep what is accepted; a router does not.
    coerces
        What is changed in what is kept, by keyword: to a new UID, or to another patient.
    lag_seconds
        After which what is kept is shown.
    deletes_second
        Delete an object whose UID comes a second time.
    full_first, drop_first
        How many objects are refused, or cut off after their last byte, from the opening on.
    drop_keeps
        Keep what is cut off.
    limit
        Most matches of one query; 0 means no limit.
    hides_second_patient
        Show each study under the first patient only that it came with.
    """

    keeps: bool = True
    coerces: frozenset[str] = frozenset()
    lag_seconds: float = 0.0
    deletes_second: bool = False
    full_first: int = 0
    drop_first: int = 0
    drop_keeps: bool = True
    limit: int = 0
    hides_second_patient: bool = False


@dataclass(frozen=True)
class DimseBehaviour(Keeping):
    """How an archive behaves by DIMSE.

    Attributes
    ----------
    ae_title
        The one it answers to.
    statuses
        What a C-STORE is answered with, by SOP class; only what is answered with success or a
        warning is kept.
    comment
        The Error Comment of a refusal.
    left_out
        SOP classes that it does not negotiate.
    syntaxes
        Transfer syntaxes that it accepts.
    largest_pdu
        In bytes.
    most_associations
        At a time; the next one is rejected.
    slow_seconds
        Before each C-STORE is answered; the object is kept before that.
    models
        Information models by which it can be queried; none means that it has no C-FIND.
    find_statuses
        A status in place of matches, by the level of the query.
    empty_levels
        Levels at which it says that it has nothing.
    counts
        Tell NumberOfSeriesRelatedInstances.
    limit_status
        What ends a query that has more than `limit` matches, 0 for success.
    rejects_queries
        Reject the association of whoever calls to query, at a port of its own, because it does not
        know us.
    breaks_off_queries
        Break off the association of whoever queries, as those do that do not know us.
    commits, commit_failures, commits_after_seconds
        How a request for commitment is answered; for which SOP classes it fails, with the Failure
        Reason (PS3.3 C.14.1.1); and when, if later.
    hangs
        Do not answer who asks for the earlier studies of a patient until it goes down.
    """

    ae_title: str = AE_TITLE
    statuses: Mapping[str, int] = field(default_factory=dict)
    comment: str = ""
    left_out: frozenset[str] = frozenset()
    syntaxes: tuple[str, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    largest_pdu: int = 16382
    most_associations: int = 10
    slow_seconds: float = 0.0
    models: tuple[str, ...] = (query.FIND,)
    find_statuses: Mapping[str, int] = field(default_factory=dict)
    empty_levels: frozenset[str] = frozenset()
    counts: bool = True
    limit_status: int = 0
    rejects_queries: bool = False
    breaks_off_queries: bool = False
    commits: Commits = Commits.NOT
    commit_failures: Mapping[str, int] = field(default_factory=dict)
    commits_after_seconds: float = 0.0
    hangs: bool = False


@dataclass(frozen=True)
class WebBehaviour(Keeping):
    """How an archive behaves by DICOMweb.

    Attributes
    ----------
    reasons
        Why instances are refused, by SOP class (PS3.18 I.2): 409 if all are, 202 if some.
    body
        What the answer to STOW-RS consists of.
    names_one
        Name only the first object of a request that is stored, as an early DICOMcloud did.
    warning
        The header `Warning` of a refusal.
    stow_status
        Of the answer to every STOW-RS request, 0 as the standard has it; nothing is taken then.
    busy_first
        How many STOW-RS requests are answered with 503 and `retry_after`.
    retry_after
        The header `Retry-After` of such an answer.
    largest_bytes
        Of a request; larger ones are answered with 413. 0 means no limit.
    redirects, redirect_to
        A status that sends whoever asks below `/old` on to `/new` at that address; empty means its
        own, the plain one if it `is_encrypted`.
    is_encrypted
        Speak https, too, at a port of its own.
    token
        Bearer token without which everything is answered with 401.
    qido_status
        Of the answer to every query, 0 as the standard has it.
    call_status
        Of the answer to the query by which Hilum looks whether it is there, 0 as the standard has.
    content_type
        Of the answer to a query.
    """

    reasons: Mapping[str, int] = field(default_factory=dict)
    body: StowBody = StowBody.JSON
    names_one: bool = False
    warning: str = ""
    stow_status: int = 0
    busy_first: int = 0
    retry_after: str = "1"
    largest_bytes: int = 0
    redirects: int = 0
    redirect_to: str = ""
    is_encrypted: bool = False
    token: str = ""
    qido_status: int = 0
    call_status: int = 0
    content_type: str = "application/dicom+json"
