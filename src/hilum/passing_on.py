"""What a reader said of a result is told to the destinations that have the result and want to know.

It is a workitem of its own, a note about the run, so it is owed, tried again and traced as a result
is. Only what counts is told: the last word of each reader. It takes the place of what the same
reader said before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from hilum.config.kinds import DestinationSettings
from hilum.dicom.instance import Instance
from hilum.dicom.uids import derived_uid
from hilum.flow import Flow
from hilum.objects import (
    Analysis,
    Document,
    ReaderWord,
    write_assessment,
    write_other_assessments,
)
from hilum.pausing import waiting_for
from hilum.predecessors import contents_of
from hilum.records.assessed import Assessment, last_of_each
from hilum.records.models.deliveries import Delivery, WrittenResult
from hilum.records.models.requests import Request
from hilum.records.models.workitems import Workitem
from hilum.records.states import ARRIVED, ASSESSABLE, DeliveryState, WorkitemKind
from hilum.results import DICOM
from hilum.runs import assessment_uid
from hilum.withdrawing import RequestAnswer, note_about
from hilum.writing import tell_lost

WAITS = "it waits until the result has arrived there"


def pass_on(flow: Flow, item: Workitem, asked: Request) -> RequestAnswer:
    """Tell destinations the assessment of a result whose number is the reason of the request."""
    said = flow.records.assessments.of_workitem(item.id)
    one = next((one for one in said if str(one.number) == asked.reason), None)
    if one is None:
        return _no("there is no such assessment")
    if item.state not in ASSESSABLE:
        return _no(f"the result is {item.state}")
    if one not in last_of_each(said):
        return _no("the reader has said otherwise since then")
    wanting = _wanting(flow, item)
    if not wanting:
        return _no("no destination that is to have the result wants assessments")
    flow.workitems.require_files(item)
    return _told(flow, item, one, said, wanting)


def _wanting(flow: Flow, item: Workitem) -> dict[str, tuple[Delivery, DestinationSettings]]:
    """The deliveries of a result to those that want to know what readers say of it, by name."""
    defined = {one.name: one for one in flow.site.destination if one.assessments}
    return {
        delivery.destination: (delivery, defined[delivery.destination])
        for delivery in flow.records.deliveries.of_workitem(item.id)
        if delivery.destination in defined and delivery.state is not DeliveryState.CANCELLED
    }


def _told(
    flow: Flow,
    item: Workitem,
    one: Assessment,
    said: Sequence[Assessment],
    wanting: Mapping[str, tuple[Delivery, DestinationSettings]],
) -> RequestAnswer:
    """Write the note in every way that one of the destinations wants it, and owe it to them."""
    before = [other for other in said if other.identity == one.identity and other != one]
    word = _word_of(one, before)
    note_id = assessment_uid(item.id, one.number)
    note = note_about(item, note_id, WorkitemKind.ASSESSMENT, one.at)
    analysis = replace(flow.workitems.analysis(item), workitem_id=note_id, created=word.at)
    ways = {delivery.variant: settings for delivery, settings in wanting.values()}
    written = {
        variant for variant, way in ways.items() if _write(flow, item, analysis, variant, way, word)
    }
    owed = [
        replace(
            flow.outbox.owed(note_id, name, delivery.variant, images=False),
            reason="" if delivery.state in ARRIVED else WAITS,
        )
        for name, (delivery, _settings) in wanting.items()
        if delivery.variant in written
    ]
    if not owed:
        return _no("it has no form for the destinations that want it")
    names = [delivery.destination for delivery in owed]
    text = f"what a reader said of the result goes to {', '.join(names)}"
    replaced = [assessment_uid(item.id, other.number) for other in before]
    flow.records.workitems.note_assessment(note, owed, replaced, text)
    flow.outbox.wake()
    return RequestAnswer(True, f"{text}{waiting_for(flow.records, names)}")


def _word_of(one: Assessment, before: Sequence[Assessment]) -> ReaderWord:
    """An assessment as destinations are told it; `before` is what the same reader said earlier."""
    last = max(before, key=lambda other: (other.at, other.number), default=None)
    return ReaderWord(
        decision=one.decision,
        reader=one.reader,
        key=derived_uid("reader", one.identity),
        reason=one.reason,
        at=_moment(one.at),
        before=(last.decision, _moment(last.at)) if last else None,
        object_uid=one.object_uid,
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at).astimezone()


def _write(
    flow: Flow,
    item: Workitem,
    analysis: Analysis,
    variant: str,
    settings: DestinationSettings,
    word: ReaderWord,
) -> bool:
    """Write the note with `word` on one variant of the result; False if there is no form for it.

    `analysis` is that of the note.
    """
    results = flow.records.results.of_variant(item.id, variant)
    others = [one for one in results if one.media_type != DICOM]
    analysis = replace(analysis, replaced=contents_of(flow.site.data, others))
    lost: dict[str, str] = {}
    identities = {one.identity: one.kind for one in others}
    documents = write_other_assessments(analysis, identities, lost, word, variant, settings.wishes)
    documents += _key_objects(flow, analysis, results, variant, word)
    for document in documents:
        flow.workitems.keep(analysis.workitem_id, document, variant)
    tell_lost(flow.records, item, lost, "of what a reader said could not be written")
    return bool(documents)


def _key_objects(
    flow: Flow,
    analysis: Analysis,
    results: Sequence[WrittenResult],
    variant: str,
    word: ReaderWord,
) -> list[Document]:
    """The DICOM object for it, unless it came as one: then the network has it already."""
    files = [flow.site.data / one.path for one in results if one.media_type == DICOM]
    if not files or word.object_uid:
        return []
    dataset = write_assessment(analysis, [*map(Instance.read, files)], word, variant)
    return [Document.of_note(dataset)]


def _no(why: str) -> RequestAnswer:
    return RequestAnswer(False, f"not passed on: {why}")
