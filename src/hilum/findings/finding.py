"""What every kind of finding is, and how kinds are known by their names."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, fields

from pydicom.sr.coding import Code

from hilum.summary import Summary

FINDING_KINDS: dict[str, type["Finding"]] = {}  # by name: so they are told apart on disk


@dataclass(frozen=True, eq=False)
class Finding(ABC):
    """What a module reports. A kind is a frozen dataclass that derives from this class.

    Its fields are texts, numbers, dates, codes, arrays, a volume, frozen dataclasses and tuples of
    these, and findings that were given before it: so every kind can be stored, and none says how. A
    kind that is about one image names it in a field `image`. How result objects tell a new kind is
    registered in `hilum.objects.telling`.
    """

    def __init_subclass__(cls, is_kept: bool = True) -> None:
        """A class whose objects are not kept on disk by themselves is no kind."""
        if is_kept:
            FINDING_KINDS[cls.__name__] = cls

    @abstractmethod
    def summary(self) -> Summary:
        """What the records, the trace and `--json` hold of it."""

    def parts(self) -> tuple["Finding", ...]:
        """The findings it is made of, which others can refer to; the same objects each time."""
        return ()

    def texts(self) -> Iterable[str]:
        """Every text that a result object holds of it: the character set must fit them."""
        return ()

    def codes(self) -> Iterable[Code]:
        """Every code that a result object holds of it."""
        return ()


def with_parts(findings: Iterable[Finding]) -> list[Finding]:
    """`findings`, each followed by its parts."""
    return [each for finding in findings for each in (finding, *finding.parts())]


def image_of(finding: Finding) -> str | None:
    """The SOP Instance UID of the image `finding` is about; None for the whole input."""
    image: str | None = getattr(finding, "image", None)
    return image


def referred_to(finding: Finding) -> tuple[Finding, ...]:
    """The findings that `finding` is of, such as the segment that was measured."""
    values = (getattr(finding, field.name) for field in fields(finding))
    return tuple(value for value in values if isinstance(value, Finding))


def settle(finding: object, **values: object) -> None:
    """Put the plain values in place of those that were given; only while `finding` is made."""
    for name, value in values.items():
        object.__setattr__(finding, name, value)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def clause(text: str) -> str:
    """`text` as it stands within a sentence."""
    text = text.strip().rstrip(".")
    if text[1:2].islower():  # an abbreviation keeps its capitals
        text = text[:1].lower() + text[1:]
    return text
