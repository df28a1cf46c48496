from pathlib import Path

from hilum_example.bright import BrightPart
from hilum_example.fresh import FreshHost, FreshHostSettings

from hilum.config.site import Worker
from hilum.hosts import Place
from hilum.testing import check_host, job_of, write_series


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    files = write_series(tmp_path / "exam")
    host = FreshHost(FreshHostSettings(module=BrightPart.name), Place(Worker()))
    check_host(host, job_of(BrightPart, files, tmp_path / "out"))
