"""Sentences and parts of sentences that several places show to people."""

import difflib
import re
import time
from collections.abc import Collection, Iterable

IN_ITS_TURN = (  # where the results of a study go one after the other
    "once the earlier results and notes of this study have arrived there, are parked or cancelled"
)
AFTER_ITS_RESULT = "once the result that it is about has arrived there"
NOT_JUDGED = "cannot be judged"  # begins what is said of such a study, so do these
NOT_JUDGED_YET = "cannot be judged yet"  # until somebody has mended a module
NOT_JUDGED_NOW = "cannot be judged just now"  # until the machine has what it lacks
WHOLE_AGAIN = "nothing is run on a part; to have the study analysed anew, send all of it again"


def counted(number: int, noun: str) -> str:
    """`number` and `noun`, given as of one, in the right form: "1 image", "0 studies"."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("sis"):  # analysis
        return f"{number} {noun[:-2]}es"
    if noun.endswith("series"):
        return f"{number} {noun}"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}s"


def moment(at: float) -> str:
    """A time (s since 1970) as people write it."""
    return time.strftime("%F %R", time.localtime(at))


def person(name: str) -> str:
    """A person's name (PS3.5 6.2, PN) as people write it, what other scripts say in brackets."""
    groups = [" ".join(filter(None, group.split("^"))) for group in name.split("=")]
    first, *others = [*filter(None, groups)] or [""]
    return f"{first} ({', '.join(others)})" if others else first


def printable(text: str, instead: str = " ") -> str:
    """`text` with `instead` for each character that cannot be printed.

    Control characters in a received text could otherwise act on the terminal that shows it.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else instead for c in text)


def sentence(text: str) -> str:
    """`text` as a sentence of its own: with a capital letter, and with a full stop at its end.

    A name at its beginning, such as that of a file or a setting, stays as it is.
    """
    is_name = re.match(r"\w+[._/]\w", text)
    first = text[:1] if is_name else text[:1].upper()
    return f"{first}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def clauses(*parts: str) -> str:
    """`parts` as one sentence, also where one of them came with a full stop of its own."""
    *before, last = (part for part in parts if part)
    return "; ".join([*(re.sub(r"(?<!\.)\.$", "", part) for part in before), last])


def waits_for(reason: str, patience: float) -> str:
    """What a study waits for that is not decided on, as a clause; "" if it says no `reason`.

    Without any `patience` (s) it waits for no images: the reason says what it cannot be judged for.
    """
    said = "more images are waited for: " if patience else "the study "
    return f"{said}{reason}" if reason else ""


def listed(names: Iterable[str]) -> str:
    """Names as one says them: "a", "a and b", "a, b and c"; "" for none."""
    *before, last = [*names] or [""]
    return f"{', '.join(before)} and {last}" if before else last


def how_to_decide(study_uid: str) -> str:
    """The cure where a person must choose between patients or between versions of the images."""
    return f"`hilum decide {study_uid}` shows them and takes the right ones"


def suggestion(name: str, known: Collection[str]) -> str:
    """The end of a sentence about an unknown `name`: the nearest known one, else all."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known)) or '-'}"
