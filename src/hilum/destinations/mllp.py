"""Deliver HL7 version 2 messages over MLLP, in plain or by TLS.

What is answered shows that a message was accepted, and nothing shows that it is kept: nobody can
ask. A message is sent again with the same bytes, so with the same MSH-10.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from hilum.answers import Acceptance, Answer, Checked, Evidence, Shown
from hilum.config.hl7 import Dialect, MessageReceiver
from hilum.config.kinds import DestinationSettings, ObjectName
from hilum.destinations import CALL_SECONDS, is_answered, tried
from hilum.errors import DeliveryDelayed, DeliveryRefused, MessageError
from hilum.results import HL7, Result
from hilum.wording import clauses

if TYPE_CHECKING:  # whoever only reads hilum.toml needs none
    from hilum.hl7.answers import MessageAnswer
    from hilum.transport.mllp import MllpClient

PROBE_SECONDS = 1.0  # in which a receiver says what is wrong with our TLS
APPLICATION_SECONDS = 1.0  # in which the application may answer after a commit acknowledgement
MOST_ERRORS = 8  # times that a message is sent to a receiver that answers with an error (AE, CE)
NO_CODE = "its answer has no code of table 0008 in MSA-1, such as AA"
OTHER_ANSWER = "it answers another message: MSA-2 has to be the MSH-10 of what it was sent"
NAMELESS = "its answer names no message (MSA-2 is empty), and was taken for the answer to this one"
ITS_ANSWER = "its answer lies below `answers` in the data folder"
UNCLEAR = (
    "nobody knows whether it took the message, so it is not sent again by itself: have its answers "
    f"corrected ({ITS_ANSWER}), and look whether the result is there; `hilum release` sends it "
    "again"
)


class MllpDestinationSettings(Dialect, MessageReceiver, DestinationSettings):
    """A system that takes HL7 messages, such as the one that reports are written in."""

    shaping: ClassVar[tuple[str, ...]] = tuple(Dialect.model_fields)
    in_order: ClassVar[bool] = True

    kind: Literal["mllp"] = Field("mllp", description="HL7 version 2 messages over MLLP.")
    proof: Literal["accepted"] = Field(
        "accepted",
        description="What shows that a result has arrived: nothing but that it was accepted.",
    )
    objects: tuple[ObjectName, ...] = Field(
        ("oru",), description="Result objects that this destination receives."
    )


class MllpDestination:
    """Sends one message at a time, and waits for its answer."""

    settings = MllpDestinationSettings
    takes = (HL7,)

    def __init__(self, settings: MllpDestinationSettings) -> None:
        self.name = settings.name
        self._settings = settings

    def is_reachable(self) -> bool:
        seconds = min(self._settings.timeout_seconds, CALL_SECONDS)
        return is_answered(lambda: self._connect(seconds).close())

    def send(self, results: Sequence[Result]) -> Iterator[Answer]:
        from hilum.transport.mllp import NoAnswer

        for place, result in enumerate(results):
            try:
                answer = self._hand_over(result)
            except NoAnswer as error:
                self._require_tls()
                yield Answer(result, Acceptance.UNKNOWN, text=str(error))
                raise DeliveryDelayed(f"{self.name}: {error}") from error
            yield answer
            if answer.acceptance is not Acceptance.TAKEN:  # none overtakes it
                yield from (replace(answer, result=one) for one in results[place + 1 :])
                return

    def _hand_over(self, result: Result) -> Answer:
        """Send one message, and hear what becomes of it.

        It has a connection of its own, so an answer that names no message is about no other one.
        """
        from hilum.hl7.er7 import FALLBACK, ReceivedMessage
        from hilum.transport.mllp import UnclearAnswer

        content = result.path.read_bytes()
        control_id = ReceivedMessage.of(content).control_id
        with closing(self._connect(self._settings.timeout_seconds)) as connection:
            connection.send(content)
            try:
                return _answer(result, self._last_word(connection, control_id))
            except UnclearAnswer as error:
                said = connection.came.decode(FALLBACK)
                text = clauses(str(error), UNCLEAR)
                return Answer(result, Acceptance.NEVER, text=text, comment=said)

    def _last_word(self, connection: "MllpClient", control_id: str) -> "MessageAnswer":
        """The answer that counts.

        A receiver that says that it has the message before its application has looked at it (CA),
        without having been asked to, may say at once what that thinks of it.
        """
        from hilum.hl7.answers import Acknowledgement
        from hilum.transport.mllp import NoAnswer

        deadline = time.monotonic() + self._settings.timeout_seconds
        reply = _heard(connection, control_id, deadline)
        if reply.verdict is Acknowledgement.CA and not self._settings.enhanced:
            soon = min(deadline, time.monotonic() + APPLICATION_SECONDS)
            with suppress(NoAnswer):
                reply = _heard(connection, control_id, soon)
        return reply

    def ask(self, results: Sequence[Result]) -> Shown:
        return Shown((), Evidence.NONE)

    def filing(self, study_uid: str) -> None:
        return None

    def check(self) -> Iterator[Checked]:
        yield tried("connection", self._try_connection, "can be made; no message was sent")

    def _try_connection(self) -> None:
        self._connect(self._settings.timeout_seconds).close()
        self._require_tls()

    def _require_tls(self) -> None:
        """Raise `DeliveryRefused` if TLS does not come about, so that no message has arrived.

        A receiver that wants a certificate of ours says so only after we believe to be connected.
        """
        from hilum.transport.tls import problem_of_tls

        where = self._settings
        called = (where.host, where.port, where.tls, min(where.timeout_seconds, PROBE_SECONDS))
        problem = problem_of_tls(*called) if where.tls else None
        if problem and problem.is_certain:
            raise DeliveryRefused(f"{self.name}: {problem.text}")

    def _connect(self, seconds: float) -> "MllpClient":
        from hilum.transport.mllp import MllpClient

        where = self._settings
        return MllpClient(self.name, where.host, where.port, where.tls, seconds)


def _heard(connection: "MllpClient", control_id: str, deadline: float) -> "MessageAnswer":
    """The next answer to the message with that MSH-10, or one that can be about no other."""
    from hilum.hl7.answers import MessageAnswer
    from hilum.hl7.er7 import ReceivedMessage
    from hilum.transport.mllp import UnclearAnswer

    unclear = ""  # what is wrong with what came before
    while True:
        try:
            heard = ReceivedMessage.of(connection.hear(deadline), any_characters=True)
        except MessageError as error:
            unclear = f"its answer cannot be read: {error}"
            continue
        except UnclearAnswer as error:
            raise UnclearAnswer(unclear or str(error)) from error
        reply = MessageAnswer.read(heard)
        if reply and (reply.is_about(control_id) or not (reply.of or unclear)):
            return reply
        unclear = OTHER_ANSWER if reply else NO_CODE


def _answer(result: Result, reply: "MessageAnswer") -> Answer:
    from hilum.hl7.answers import ERROR, MEANINGS, TAKEN

    if reply.verdict in TAKEN:
        remark = "" if reply.of else NAMELESS
        return Answer(result, Acceptance.TAKEN, text=remark, comment=reply.comment)
    why = MEANINGS[reply.problem] if reply.problem else "it does not say why by a code"
    place = f", at {reply.place}" if reply.place else ""
    said = f"it answered {reply.verdict}: {why}{place}"
    if reply.verdict in ERROR:
        return Answer(
            result, Acceptance.LATER, text=said, comment=reply.comment, most_times=MOST_ERRORS
        )
    cure = f"{said}; {ITS_ANSWER}; have it accept them, then `hilum release`"
    return Answer(result, Acceptance.NEVER, text=cure, comment=reply.comment)
