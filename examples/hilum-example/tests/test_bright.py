from pathlib import Path

from hilum_example.bright import BrightPart

from hilum.testing import check_module, write_series


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    found = check_module(BrightPart, write_series(tmp_path))
    assert [segment.label for segment in found.segments] == ["Bright"]
    assert [shape.label for shape in found.shapes] == ["Around the bright part"]
