"""A site's own norms: what is expected of a measurement in persons of the same sex and age.

Norms belong to one method of measuring: another network draws the same structure larger or smaller.
So a table is used only for the weights it was made with, and none comes with Hilum.
"""

import csv
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

from pydicom.dataset import Dataset

from hilum.config.site import NormsSettings
from hilum.dicom import codes
from hilum.dicom.age import ages_of
from hilum.errors import ConfigurationError
from hilum.findings import Findings, Measurement, Note
from hilum.module import ModuleFacts
from hilum.wording import suggestion

SEXES = {"F": "women", "M": "men"}  # PatientSex (PS3.3 C.7.1.1); no table knows O
FARTHEST = 10.0  # times the mean; a table in mm3 is off by a thousand
REACH = 1.96  # standard deviations on either side that hold 95 % of a normal distribution
MILLILITRES = {codes.MILLILITRE: 1.0, codes.CUBIC_MILLIMETRE: 0.001}


@dataclass(frozen=True)
class Norm:
    """One row: `what` as the report calls it, completed years, mL; both ages belong to it."""

    what: str
    sex: str
    age_from: int
    age_to: int
    mean_ml: float
    sd_ml: float

    def __post_init__(self) -> None:
        if not self.what:
            raise ValueError("what is empty: the label of the measurement as in the report")
        if self.sex not in SEXES:
            raise ValueError(f"sex is {self.sex!r}, not {' or '.join(SEXES)}")
        if not 0 <= self.age_from <= self.age_to:
            raise ValueError(f"ages {self.age_from} to {self.age_to} are no range")
        if not (0 < self.mean_ml < math.inf and 0 < self.sd_ml < math.inf):
            raise ValueError("mean_ml and sd_ml are volumes above 0")

    @property
    def group(self) -> str:
        ages = {self.age_from, self.age_to}
        return f"{SEXES[self.sex]} of {'-'.join(map(str, sorted(ages)))} years"

    def is_of(self, sex: str, years: int) -> bool:
        """Whether a person belongs to its group."""
        return self.sex == sex and self.age_from <= years <= self.age_to

    def overlaps(self, other: "Norm") -> bool:
        """Whether somebody belongs to both groups of the same measurement."""
        oldest = min(self.age_to, other.age_to)
        return (
            self.what == other.what and self.is_of(other.sex, oldest) and other.age_from <= oldest
        )


N = TypeVar("N", int, float)
COLUMNS = tuple(field.name for field in fields(Norm))


class NormTable:
    """One file of norms, for one module and its weights.

    Raises `ConfigurationError` for a file that cannot be used; the text names line and column.
    """

    def __init__(self, settings: NormsSettings) -> None:
        self.settings = settings
        self.rows = tuple(_read(settings))
        if not self.rows:
            raise ConfigurationError(f"norms {settings.file}: no row")

    def is_for(self, module: ModuleFacts) -> bool:
        """Whether it was made with these weights."""
        made = (self.settings.module, self.settings.weights_sha256)
        return made == (module.name, module.weights_sha256)

    def notes(self, patient: Dataset, followed: Sequence[Measurement]) -> Iterator[Note]:
        """What is expected of each measurement of `followed` that the table is about."""
        known = [each for each in followed if any(row.what == each.label for row in self.rows)]
        if not known:
            return
        sex, years = str(patient.get("PatientSex") or ""), _years(patient)
        if sex not in SEXES or years is None:
            lacks = "age" if years is None else "sex"
            yield Note(f"Not compared with norms: the patient's {lacks} is not known for certain.")
            return
        for measurement in known:
            yield Note(f"{self._compared(measurement, sex, years)} {self._source}")

    def _compared(self, measurement: Measurement, sex: str, years: int) -> str:
        for row in self.rows:
            if row.what == measurement.label and row.is_of(sex, years):
                low, high = row.mean_ml - REACH * row.sd_ml, row.mean_ml + REACH * row.sd_ml
                value = measurement.value * MILLILITRES[measurement.unit]
                if not 1 / FARTHEST < value / row.mean_ml < FARTHEST:
                    return (
                        f"{row.what}: {value:.2f} mL; not compared with norms, whose mean of"
                        f" {row.mean_ml:.6g} mL cannot be of the same structure."
                    )
                return (
                    f"{row.what}: {value:.2f} mL; expected {max(low, 0):.2f} to {high:.2f} mL"
                    f" (95 % range, {row.group})."
                )
        return f"{measurement.label}: no norm for {SEXES[sex]} of {years} years."

    @property
    def _source(self) -> str:
        return f"Source: {self.settings.citation.strip().rstrip('.')}."


class Norms:
    """All tables of a site."""

    def __init__(self, settings: Sequence[NormsSettings]) -> None:
        self.tables = tuple(map(NormTable, settings))

    def notes(self, module: ModuleFacts, patient: Dataset, findings: Findings) -> tuple[Note, ...]:
        """A note for each followed volume that a table of `module` is about; none without a table.

        `patient` has the study's attributes of sex and age.
        """
        tables = [table for table in self.tables if table.is_for(module)]
        notes = [note for table in tables for note in table.notes(patient, _volumes(findings))]
        return tuple(dict.fromkeys(notes))

    def remarks(self, module: ModuleFacts, findings: Findings | None = None) -> Iterator[str]:
        """A sentence for each table of `module` that was made with other weights.

        And one on what is followed in `findings`, but has no row in any: a name may be misspelt.
        """
        known: dict[str, None] = {}  # what there are rows for, in their order
        for table in self.tables:
            if table.is_for(module):
                known |= {row.what: None for row in table.rows}
            elif table.settings.module == module.name:
                yield _not_used(table.settings, module)
        if known and findings:
            yield from _without_row(findings, known)


def _not_used(made: NormsSettings, module: ModuleFacts) -> str:
    theirs, ours = made.weights_sha256[:12], module.weights_sha256[:12]
    return (
        f"norms {made.file} are not used: they were made with other weights of"
        f" {module.name} ({theirs}..., here {ours}...)"
    )


def compare_with_norms(
    settings: Sequence[NormsSettings], module: ModuleFacts, patient: Dataset, findings: Findings
) -> tuple[tuple[Note, ...], list[str]]:
    """What the site's tables expect, and why a table was not used.

    A table is read each time, so that one that is mended, or broken, while Hilum runs costs no
    restart and no result.
    """
    try:
        norms = Norms(settings)
    except ConfigurationError as error:
        return (), [str(error)]
    return norms.notes(module, patient, findings), list(norms.remarks(module, findings))


def _without_row(findings: Findings, known: Collection[str]) -> Iterator[str]:
    labels = [each.label for each in _volumes(findings)]
    if lacks := [label for label in labels if label not in known]:
        yield f"no row of the norms for {', '.join(lacks)}, but for {', '.join(known)}"


def _volumes(findings: Findings) -> list[Measurement]:
    return [m for m in findings.measurements if m.followed and m.unit in MILLILITRES]


def _years(patient: Dataset) -> int | None:
    """Completed years, by the dates if there are any; None if unknown, or if the ages differ."""
    ages = ages_of(patient)
    return int(ages[-1]) if ages and max(ages) - min(ages) <= 1 else None


def _read(settings: NormsSettings) -> Iterator[Norm]:
    where = f"norms {settings.file}"
    try:
        lines = settings.file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"{where}: {reason}") from error
    table = csv.DictReader(lines)
    _check_columns(table.fieldnames or (), where)
    before: list[Norm] = []
    try:
        for values in table:
            norm = _norm(values)
            if other := next(filter(norm.overlaps, before), None):
                raise ValueError(f"{norm.what} for {norm.group}, and before for {other.group}")
            before.append(norm)
            yield norm
    except (ValueError, csv.Error) as error:
        raise ConfigurationError(f"{where}, line {table.line_num}: {error}") from error


def _check_columns(columns: Sequence[str], where: str) -> None:
    for column in columns:
        if column not in COLUMNS:
            raise ConfigurationError(
                f"{where}: unknown column {column!r}{suggestion(column, COLUMNS)}"
            )
    if missing := [column for column in COLUMNS if column not in columns]:
        raise ConfigurationError(f"{where}: no column {', '.join(missing)}")


def _norm(values: Mapping[str | None, str | None]) -> Norm:
    if None in values:  # a decimal comma would make 3,20 a mean of 3 and a deviation of 20
        raise ValueError("more cells than columns: decimals are written with a point")
    texts = {column: (values[column] or "").strip() for column in COLUMNS}
    return Norm(
        texts["what"],
        texts["sex"],
        _number(texts, "age_from", int),
        _number(texts, "age_to", int),
        _number(texts, "mean_ml", float),
        _number(texts, "sd_ml", float),
    )


def _number(texts: Mapping[str, str], column: str, kind: Callable[[str], N]) -> N:
    try:
        return kind(texts[column])
    except ValueError:
        what = "whole number" if kind is int else "number"
        raise ValueError(f"{column} is {texts[column]!r}, not a {what}") from None
