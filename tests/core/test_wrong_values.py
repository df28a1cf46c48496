"""What is wrong with a value is said in our words, of whatever type the value is."""

from datetime import date, timedelta
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core._pydantic_core import list_all_errors

from hilum.wrong_values import reason_of


@pytest.mark.parametrize(
    ("wanted", "given", "said"),
    [
        (Annotated[int, Field(le=10_000_000)], 10_000_001, "10000000 or less is needed"),
        (Annotated[float, Field(gt=0)], -1, "more than 0 is needed"),
        (Annotated[float, Field(lt=0.5)], 1, "less than 0.5 is needed"),
        (Annotated[date, Field(gt=date(2020, 1, 2))], "2019-01-01", "more than 2020-01-02"),
        (Annotated[timedelta, Field(ge=timedelta(days=1))], 0, "1 day or more is needed"),
        (Annotated[str, Field(min_length=1)], "", "it is empty"),
        (Annotated[list[int], Field(min_length=3)], [1], "3 of them at least are needed"),
    ],
)
def test_what_is_needed_is_said(wanted: Any, given: Any, said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(wanted).validate_python(given)
    [error] = raised.value.errors()
    assert reason_of(error).startswith(said)


def test_nothing_that_pydantic_finds_wrong_breaks_the_answer() -> None:
    for known in list_all_errors():
        context = known["example_context"] or {}
        assert reason_of(
            {"type": known["type"], "ctx": context, "msg": known["example_message_python"]}
        )
