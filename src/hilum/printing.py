"""How measured numbers are printed for people: alike in the picture, the pages, the RIS and here.

What programs are told has all digits that there are.
"""

from math import floor, log10
from typing import NamedTuple

MINUS, PLUS_MINUS = "\N{MINUS SIGN}", "\N{PLUS-MINUS SIGN}"
NO_UNITS = "1"
NAMES = {"ml": "mL", "deg": "\N{DEGREE SIGN}", NO_UNITS: ""}  # of UCUM units, as people write them
MOST_DIGITS = 12  # after the point
USUAL_LARGEST = 100  # from which on one digit after the point is enough


class Printed(NamedTuple):
    """A number, its uncertainty and its unit; "" for what there is none of."""

    value: str
    uncertainty: str
    unit: str

    @property
    def rest(self) -> str:
        """The text that follows the value."""
        error = f"{PLUS_MINUS} {self.uncertainty}" if self.uncertainty else ""
        return " ".join(filter(None, (error, self.unit)))

    def __str__(self) -> str:
        return f"{self.value} {self.rest}".rstrip()


class Quantity(NamedTuple):
    """A measured number; the unit is a code of UCUM."""

    value: float
    uncertainty: float | None
    unit: str

    @property
    def in_print(self) -> "Quantity":
        """As clinicians read it: volumes in millilitres."""
        if self.unit != "mm3":
            return self
        error = None if self.uncertainty is None else self.uncertainty / 1000
        return Quantity(self.value / 1000, error, "ml")

    @property
    def digits(self) -> int:
        """Digits after the point that it deserves in print: none of it is printed as nothing."""
        value, uncertainty, unit = self.in_print
        is_count = unit == NO_UNITS and uncertainty is None and float(value).is_integer()
        if is_count:
            return 0
        usual = 0 if unit == "%" else 2 if abs(value) < USUAL_LARGEST else 1
        size = max(abs(value), uncertainty or 0.0)
        needed = [_first_digit(size) + (usual > 0) if size else 0]
        needed.append(_first_digit(uncertainty) if uncertainty else 0)
        return min(max(usual, *needed), MOST_DIGITS)

    def printed(self, sign: bool = False) -> Printed:
        """It as it is printed; with its `sign` also where it is positive."""
        value, uncertainty, unit = self.in_print
        text = signed(value, self.digits) if sign else fixed(value, self.digits)
        error = "" if uncertainty is None else fixed(uncertainty, self.digits)
        return Printed(text, error, name_of(unit))


def name_of(unit: str) -> str:
    """A UCUM unit as people write it."""
    return NAMES.get(unit, unit)


def fixed(value: float, digits: int) -> str:
    """A number with so many digits after the point; no minus before a zero."""
    text = f"{abs(value):.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and float(text) else text


def signed(value: float, digits: int) -> str:
    """A number with a sign that cannot be overlooked; none before a zero."""
    text = fixed(value, digits)
    return f"+{text}" if value > 0 and float(text) else text


def rate_in_print(rate: float | None, uncertainty: float | None) -> str:
    """A change in per cent per year, "" where there is none."""
    if rate is None:
        return ""
    error = fixed(uncertainty, 1) if uncertainty else ""
    return str(Printed(signed(rate, 1), error, "% per year"))


def percent(share: float) -> str:
    """A share, 0-1, without false precision; what is not all, or not none, is not said to be so."""
    text = f"{share * 100:.0f}"
    if text == "100" and share < 1:
        return "> 99 %"
    return "< 1 %" if text == "0" and share > 0 else f"{text} %"


def _first_digit(size: float) -> int:
    """How many digits after the point it takes to the first one of a number above 0."""
    return -floor(log10(size))
