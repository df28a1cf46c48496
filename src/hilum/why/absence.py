"""Nothing of it is known here: who was refused meanwhile, and what else may be the reason."""

from collections.abc import Iterator

from hilum.alarms import alarms_now
from hilum.config.site import Site
from hilum.inbox import quarantined_in
from hilum.records import Records
from hilum.records.states import SourceState
from hilum.records.views import sources
from hilum.rejections import Rejection, RejectionKind
from hilum.severity import Severity
from hilum.why.explanation import Cause, Cure, CureKind, Explanation
from hilum.wording import counted, moment, sentence

MEANWHILE_SECONDS = 7 * 24 * 3600.0  # for which rejections are told
MOST_SENDERS = 5
MOST_LOOKED_AT = 100  # objects in quarantine, the latest ones


def never_arrived(site: Site, records: Records, now: float) -> Explanation:
    """What is said where no study is known by what somebody asks for."""
    rejections = [
        row
        for row in records.rejections.since(now - MEANWHILE_SECONDS)
        if row.kind is not RejectionKind.CONTENT
    ]
    alarms = [a for a in alarms_now(site, records, now) if a.severity is Severity.CRITICAL]
    text = "nothing of it has arrived"
    if rejections:
        senders = list(dict.fromkeys(row.sender for row in rejections))
        more = f" and {len(senders) - MOST_SENDERS} more" if len(senders) > MOST_SENDERS else ""
        text = f"{text}; refused meanwhile: {', '.join(senders[:MOST_SENDERS])}{more}"
        text = f"{text}; a refused association names no patient, so it may be one of these"
    evidence = (
        *(f"{alarm.text}" for alarm in alarms),
        *map(_told, rejections[:MOST_SENDERS]),
        *_sources(site, records),
        *_quarantined(site),
    )
    receiver = site.receiver
    cures = (
        *(Cure(CureKind.START, alarm.cure_here) for alarm in alarms),
        *(Cure(CureKind.CONFIGURE, _told(row)) for row in rejections[:MOST_SENDERS]),
        Cure(CureKind.SEND, f"have it sent to {receiver.ae_title}, port {receiver.port}"),
    )
    return Explanation(
        Cause.NEVER_ARRIVED, sentence(text), cures=cures, evidence=tuple(map(sentence, evidence))
    )


def _told(row: Rejection) -> str:
    times = f"{row.count} times, the last one " if row.count > 1 else ""
    return f"{row.sender} ({times}{moment(row.last_at)}): {row.reason}"


def _sources(site: Site, records: Records) -> Iterator[str]:
    """The archives that are watched and may have more."""
    for source in sources(site, records):
        if source.state is not SourceState.REACHABLE:
            problem = f" ({source.problem})" if source.problem else ""
            yield f"{source.name}, which is watched, is {source.state}{problem}"
        elif source.behind:
            yield f"{source.name}, which is watched, has {source.behind} more to be looked at"


def _quarantined(site: Site) -> Iterator[str]:
    """What was received of studies that nobody can name."""
    _, listed = quarantined_in(site.data, MOST_LOOKED_AT)
    if unknown := [one for one in listed if not one.study_uid]:
        objects = counted(len(unknown), "object")
        last = unknown[0]
        yield (
            f"{objects} in quarantine whose study cannot be read, the last one from"
            f" {last.sender or 'an unknown sender'}, {moment(last.at)}: `hilum quarantine`"
        )
