"""An entry of hilum.toml that somebody is at in a form: a rule, or a place of the network."""

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Self

from starlette.datastructures import FormData

from hilum.config.file import ChangedMeanwhile, SettingsText
from hilum.console.forms import FieldProblems, FormField
from hilum.console.saving import LONGEST_REASON, difference
from hilum.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class EntryDraft:
    """What the entry called `name` ("" for a new one) is to become, and `why`.

    `before` is the settings file as it is now, `after` the whole file as it would be; `based_on` is
    the digest of the one that the form was made from.
    """

    name: str
    before: SettingsText
    fields: list[FormField]
    based_on: str
    why: str = ""
    after: str = ""
    problem: str = ""

    @property
    def difference(self) -> list[str]:
        """What it changes in the file."""
        return difference(self.before.text, self.after) if self.after else []

    def sent(self, form: FormData) -> Self:
        """With what a form says besides its fields."""
        why = str(form.get("why", ""))[:LONGEST_REASON].strip()
        return replace(self, why=why, based_on=str(form.get("based_on", "")))

    def refused(self, error: FieldProblems | ConfigurationError) -> tuple[Self, HTTPStatus]:
        """With why nothing was saved, and the HTTP status of the page that says so."""
        if isinstance(error, FieldProblems):
            found = error.problems
            fields = [replace(one, problem=found.get(one.name, "")) for one in self.fields]
            made = replace(self, fields=fields, problem="see the fields below")
            return made, HTTPStatus.UNPROCESSABLE_ENTITY
        if isinstance(error, ChangedMeanwhile):
            made = replace(self, problem=str(error), based_on=self.before.digest)
            return made, HTTPStatus.CONFLICT
        return replace(self, problem=str(error)), HTTPStatus.UNPROCESSABLE_ENTITY
