"""What of the list of studies is shown, and at which address."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, Field

from hilum.records.states import StudyOrder


class ListFilter(BaseModel):
    """What of a list is shown, without anything that names a patient: the query of its address."""

    state: str = Field("", max_length=32)
    module: str = Field("", max_length=64)
    passed_over: str = Field("", max_length=64)  # a module that was not applicable
    modality: str = Field("", max_length=16)
    assessment: str = Field("", max_length=32)
    sort: StudyOrder = StudyOrder.NEWEST
    page: int = Field(1, ge=1, le=10**9)
    view: str = Field("", max_length=16)  # the number of the saved filter that it began with

    @property
    def saved(self) -> str:
        """What is saved of it: the query of the address without page and number."""
        there = self.model_dump(mode="json", exclude_defaults=True, exclude={"page", "view"})
        return urlencode(there)

    @classmethod
    def of(cls, query: str) -> "ListFilter":
        """That of the query of an address; `ValueError` if it is none."""
        return cls.model_validate(dict(parse_qsl(query)))


@dataclass(frozen=True)
class ListAddress:
    """Where a list is, and what of it is shown."""

    path: str
    chosen: ListFilter

    def at(self, page: int) -> str:
        """The address of one of its pages."""
        there = self.chosen.model_copy(update={"page": page})
        given = there.model_dump(mode="json", exclude_defaults=True)
        return f"{self.path}?{urlencode(given)}" if given else self.path
