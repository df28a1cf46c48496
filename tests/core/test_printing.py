"""Numbers are the same wherever people read them, and none is printed as nothing."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.sr.coding import Code

from hilum.config.hl7 import Language
from hilum.console.rendering import quantity
from hilum.dicom import codes
from hilum.findings import Change, Classification, Earlier, Measurement, Score
from hilum.objects.oru.text import _number
from hilum.objects.oru.words import BY_LANGUAGE
from hilum.objects.report.course import change_row
from hilum.objects.report.rows import row_of, rows_of_scores
from hilum.objects.sheet.story import group_of
from hilum.printing import MINUS, PLUS_MINUS, Quantity, percent

UNITS = {"mm3": "mL", "ml": "mL", "1": "", "%": "%", "deg": "\N{DEGREE SIGN}", "mm2/s": "mm2/s"}
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False)
BEFORE = st.just(0.0) | st.floats(1e-6, 1e6)
ERRORS = st.none() | st.floats(0, 1e4, allow_subnormal=False)


@pytest.mark.parametrize(
    ("value", "uncertainty", "unit", "text"),
    [
        (3379.4, 170.0, "mm3", "3.38 ± 0.17 mL"),
        (3.3794, 0.17, "ml", "3.38 ± 0.17 mL"),
        (152.34, None, "ml", "152.3 mL"),
        (0.00078, None, "mm2/s", "0.00078 mm2/s"),
        (0.0042, None, "ml", "0.0042 mL"),
        (0.0042, 0.17, "ml", "0.00 ± 0.17 mL"),
        (3.379, 0.0004, "ml", "3.3790 ± 0.0004 mL"),
        (-0.001, 0.3, "ml", "0.00 ± 0.30 mL"),
        (-2.5, None, "ml", f"{MINUS}2.50 mL"),
        (42.4, None, "%", "42 %"),
        (0.4, None, "%", "0.4 %"),
        (0.0, None, "%", "0 %"),
        (7.0, None, "1", "7"),
        (0.42, None, "1", "0.42"),
        (12.0, None, "deg", "12.00 \N{DEGREE SIGN}"),
        (1e-30, None, "ml", "0.000000000000 mL"),
    ],
)
def test_a_number_in_print(value: float, uncertainty: float | None, unit: str, text: str) -> None:
    assert str(Quantity(value, uncertainty, unit).printed()) == text


@given(NUMBERS, ERRORS, st.sampled_from(sorted(UNITS)))
@example(-0.001, None, "ml")
@example(-0.4, 0.3, "%")
@example(-4e-4, None, "mm3")
def test_report_text_and_page_print_the_same(
    value: float, uncertainty: float | None, unit: str
) -> None:
    measurement = Measurement(codes.VOLUME, value, Code(unit, "UCUM", "unit"), None, uncertainty)
    row = row_of(measurement)
    texts = {f"{row.value} {row.rest}".rstrip()}
    texts.add(measurement.summary().in_words().partition(": ")[2])
    texts.add(quantity(value, unit, uncertainty))
    languages: tuple[Language, ...] = ("en", "de", "fr")
    for language in languages:
        said = BY_LANGUAGE[language]
        text = _number(measurement, said).partition(f"{said.colon} ")[2]
        number, _, of_unit = text.rpartition(" ") if UNITS[unit] else (text, "", "")
        text = " ".join(filter(None, (number.replace(said.comma, "."), of_unit)))
        texts.add(text.replace("-", MINUS))
    assert len(texts) == 1
    printed = float(row.value.replace(MINUS, "-"))
    scale = 1000 if unit == "mm3" else 1
    digits = len(row.value.partition(".")[2])
    assert printed * scale == pytest.approx(value, abs=0.51 * scale * 10**-digits)
    assert not row.value.startswith(MINUS) or printed < 0
    size = max(abs(value), uncertainty or 0) / scale
    shown = max(abs(printed), float(row.uncertainty or 0))
    assert shown > 0 or size < 1e-11, "what is there is not printed as nothing"


@given(NUMBERS, BEFORE, st.floats(0, 1e3), st.integers(1, 3000))
@example(0.0, 3.2, 0.1, 400)  # nothing is left of it: its share has no error
@example(3.2, 0.0, 0.1, 400)
def test_any_change_can_be_said(value: float, before: float, error: float, days: int) -> None:
    now = Measurement(codes.VOLUME, value, codes.MILLILITRE, None, error, followed=True)
    earlier = Earlier(date(2020, 1, 1), before, error, "1", "2", "3")
    change = Change(now, date.fromordinal(date(2020, 1, 1).toordinal() + days), (earlier,))
    text = change.summary().in_words()
    row = change_row(change).steps[0]
    for said in (text, f"{row.value} {row.rest} {row.per_year}"):
        assert "None" not in said and "nan" not in said
        assert f"{MINUS}0.00 " not in said and f"{PLUS_MINUS} {MINUS}" not in said
    assert ("% per year" in text) == (change.percent_per_year is not None)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.0004, "< 1 %"), (0.42, "42 %"), (0.9961, "> 99 %"), (1, "100 %")],
)
def test_a_share_is_not_said_to_be_all_or_none_where_it_is_not(share: float, text: str) -> None:
    assert percent(share) == text
    score = Score(codes.BRAIN, "Pneumonia", share)
    classification = Classification((score,), score, "a test")
    [row] = rows_of_scores(classification)
    assert f"{row.value} {row.rest}" == text, "in the report"
    [bar] = group_of(classification, is_sure=True).bars
    assert bar.words == text, "in the picture"
