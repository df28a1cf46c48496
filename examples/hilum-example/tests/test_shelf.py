from pathlib import Path

from hilum_example.shelf import ShelfDestination, ShelfSettings
from shelf_server import running_shelf

from hilum.results import Result
from hilum.testing import check_destination, results_of, write_series


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.json"
    numbers.write_text("{}")
    results = [
        Result("numbers", "application/json", "1.2.3.4", numbers, "1.2", "1.2.3"),
        *results_of(write_series(tmp_path / "exam", count=2)),
    ]
    with running_shelf() as server:
        check_destination(ShelfDestination(ShelfSettings(name="shelf", url=server.url)), results)
