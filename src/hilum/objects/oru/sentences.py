"""What Hilum and its own modules say, in the language of a text for the report.

It comes in English, and may come from the records of years ago, so it is known again by what it
says: clause by clause, by the list `sentences.toml`. What is not on the list stays as it is, such
as what a module of somebody else says.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hilum.config.hl7 import Language

LIST = Path(__file__).with_name("sentences.toml")
PLACE = re.compile(r"\{(\w+)\}")
BETWEEN = "; "  # two clauses in English
BETWEEN_OURS: dict[Language, str] = {"de": "; ", "fr": " ; "}
LONGEST = 500  # characters of a clause that is looked up; a longer one is none of ours


@dataclass(frozen=True)
class Sentence:
    """A clause of the list: how it is known in English, and what stands for it."""

    known_by: re.Pattern[str]
    told: str

    @classmethod
    def of(cls, english: str, told: str) -> "Sentence":
        parts = PLACE.split(english)  # the text between two places, and their names
        pattern = "".join(
            f"(?P<{part}>.+?)" if number % 2 else re.escape(part)
            for number, part in enumerate(parts)
        )
        return cls(re.compile(pattern, re.DOTALL), told)


def translated(text: str, language: Language, comma: str = ".") -> str:
    """`text` in a language that writes numbers with that `comma`, as far as the list has it."""
    if language == "en":
        return text
    clauses = [_clause(part, language, comma) for part in text.split(BETWEEN)]
    return BETWEEN_OURS[language].join(clauses)


def _clause(text: str, language: Language, comma: str) -> str:
    """One clause; a capital letter at its beginning stays one, and so does a full stop."""
    said = text.removesuffix(".")
    if len(said) > LONGEST:
        return text
    for first in dict.fromkeys((said, said[:1].lower() + said[1:])):
        for sentence in _sentences()[language]:
            if found := sentence.known_by.fullmatch(first):
                values = {n: _value(v, language, comma) for n, v in found.groupdict().items()}
                told = sentence.told.format(**values)
                begun = told if first == said else told[:1].upper() + told[1:]
                return f"{begun}{text[len(said) :]}"
    return text


def _value(text: str, language: Language, comma: str) -> str:
    """What stands in a place: a number, a clause, or anything else, which stays as it is."""
    if re.fullmatch(r"[0-9]+\.[0-9]+(%|\N{DEGREE SIGN})?", text):
        return text.replace(".", comma)
    return _clause(text, language, comma)


@cache
def _sentences() -> Mapping[Language, tuple[Sentence, ...]]:
    """The clauses by language; those with the fewest places first, as they say most."""
    languages: tuple[Language, ...] = ("de", "fr")
    listed = sorted(every_sentence(), key=lambda one: len(PLACE.findall(one["en"])))
    return {
        language: tuple(Sentence.of(one["en"], one[language]) for one in listed)
        for language in languages
    }


def every_sentence() -> Iterator[dict[str, str]]:
    """Each clause of the list in all languages."""
    yield from tomllib.loads(LIST.read_text(encoding="utf-8"))["sentence"]
