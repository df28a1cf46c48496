"""Debian's Prometheus, as a server of its own that asks one Hilum."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from hilum_lab.network.processes import available_port
from tests.patience import until

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")


class Prometheus:
    """A server; `ask` evaluates a query."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The samples that a query gives now; fails where it cannot be evaluated."""
        answer = httpx.get(f"{self._url}/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", f"{query}: {answer}"
        assert not answer.get("warnings"), f"{query}: {answer}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def get(self, path: str) -> Any:
        return httpx.get(f"{self._url}/api/v1/{path}").json()["data"]


@contextmanager
def prometheus(folder: Path, settings: Path, port: int) -> Iterator[Prometheus]:
    """It runs with our own settings, asks the Hilum at `port`, and does so every second."""
    assert PROMETHEUS
    folder.mkdir()
    said = yaml.safe_load(settings.read_text())
    said["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    said["rule_files"] = [str(settings.parent / name) for name in said["rule_files"]]
    (job,) = said["scrape_configs"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(said))
    address = f"127.0.0.1:{available_port()}"
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": address,
        "log.level": "error",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    with subprocess.Popen([PROMETHEUS, *words]) as process:
        try:
            until(lambda: is_ready(address), "Prometheus")
            yield Prometheus(f"http://{address}")
        finally:
            process.terminate()


def is_ready(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/-/ready").is_success
    except httpx.HTTPError:
        return False
