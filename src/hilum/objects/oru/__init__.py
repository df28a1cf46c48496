"""The kind "oru": a result as HL7 version 2 messages, for the system that reports are written in.

The numbers are those of the measurement report, with the same codes and units.
"""

from collections.abc import Sequence

from hilum.config.hl7 import Dialect
from hilum.objects.assessed import ReaderWord
from hilum.objects.kinds import Writing
from hilum.objects.oru.assessment import assessment_message, taken_back
from hilum.objects.oru.message import (
    ResultMessage,
    result_message,
    urgency_message,
    withdrawal_message,
)
from hilum.results import HL7


class ResultMessages:
    """An ORU^R01; and, where the receiver takes it so, an OMI^O23 that says that it is urgent."""

    media_type = HL7
    refers_to: tuple[str, ...] = ()

    def write(self, writing: Writing) -> list[bytes]:
        message = ResultMessage(writing.report, Dialect.model_validate(writing.wishes))
        messages = [result_message(message)]
        if message.is_urgent and message.dialect.urgency == "order":
            messages.append(urgency_message(message))
        return messages

    def write_withdrawal(self, writing: Writing, identities: Sequence[str], reason: str) -> bytes:
        dialect = Dialect.model_validate(writing.wishes)
        message = ResultMessage(writing.report, dialect, dialect.withdrawn)
        contents = [one.content for one in writing.analysis.replaced if one.identity in identities]
        more = taken_back(contents, dialect.withdrawn)
        return withdrawal_message(message, identities, reason, more)

    def write_assessment(
        self, writing: Writing, identities: Sequence[str], word: ReaderWord
    ) -> bytes:
        message = ResultMessage(writing.report, Dialect.model_validate(writing.wishes))
        contents = [one.content for one in writing.analysis.replaced if one.identity in identities]
        return assessment_message(message, contents, word)
