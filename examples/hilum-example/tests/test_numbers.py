from hilum_example.numbers import NumbersAsJson

from hilum.testing import check_object


def test_it_keeps_the_contract() -> None:
    check_object(NumbersAsJson)
