"""Modules that a server computes: what leaves, what comes back, and what is said where it fails."""

import re
import select
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from certificates import SelfSigned
from factory import mr_slices, write
from hilum.checking import check_rules
from hilum.cli import app
from hilum.config import parse
from hilum.config.site import Worker
from hilum.deidentification import Aliases
from hilum.engine import exchange
from hilum.errors import ConfigurationError, ModuleCancelled, ModuleError
from hilum.findings import Box, Drawing, Findings, KeyImage, Measurement, Note, Table
from hilum.hosts import Job, Place, open_host, usual
from hilum.hosts.asking import request_in
from hilum.hosts.discovery import discover, installed_module
from hilum.hosts.inside import run_here
from hilum.hosts.server import ServerHost, ServerHostSettings
from hilum.hosts.shelf import Letter
from hilum.hosts.waiting import Deadline
from hilum.pseudonyms import Pseudonyms, site_key
from hilum.servers.at_server import AtServer
from hilum.testing import check_host, job_of
from hilum_lab.network.processes import available_port
from inference_servers import Behaviour, router_model, running
from patience import PATIENCE
from radiographs import radiograph, scene

ROUTER = """
module = "dicom-ai-router"
name = "bright-spot"
version = "0.2.0"
title = "Bright spot"
licence = "MIT"
basis = "none: a test"
warnings = ["Not tested at this hospital."]
endpoint = "infer/bright"

[input]
modality = "MR"
slices = [3, 100]

[[measurement]]
key = "findings.0.diameter_mm"
value = "81827009"
scheme = "SCT"
meaning = "Diameter"
unit = "mm"
"""
CURED = ("enough", 2, nullcontext())
PATIENT = ("Marker^Patient", "marker-id", "19700101", "A1", "HippoCrop")


def model(folder: Path, card: str = ROUTER) -> Path:
    """A folder of models with one on a server."""
    place = folder / "models" / "at-server"
    place.mkdir(parents=True)
    (place / "card.toml").write_text(card)
    return folder / "models"


class Site:
    """One module on a server, as a worker runs it."""

    def __init__(self, folder: Path, url: str, card: str = ROUTER, **settings: Any) -> None:
        self.models = model(folder, card)
        self.name = card.partition('name = "')[2].partition('"')[0]
        (folder / "data").mkdir()
        limits = Worker(memory_mb=1024, timeout_seconds=60)
        self.place = Place(limits, self.models, folder / "data")
        given = {"retry_seconds": 0.01, **settings}
        self.settings = ServerHostSettings(module=self.name, url=url, **given)
        self.settings.check()
        self.host = open_host(self.settings, self.place)
        self.folder = folder
        self.slices = mr_slices(count=3, shape=(24, 20))

    def job(self) -> Job:
        files = write(self.slices, self.folder / "exam")
        return job_of(
            installed_module(self.name, Place(models=self.models)), files, self.folder / "out"
        )

    def run_walled(self) -> Findings:
        """As a worker does."""
        job = self.job()
        with closing(self.host):
            self.host.run(job)
        return exchange.load(job.out)

    def run(self) -> Findings:
        """The same in this process, which is quicker."""
        server = ServerHost(self.settings, self.place)
        module = installed_module(self.name, Place(models=self.models))
        assert issubclass(module, AtServer)
        deadline = Deadline(60, lambda: True)
        with closing(server):
            loaded = module(server.terms(), lambda request: server.answer(request, deadline))
            return run_here(loaded, self.job().inputs, {})


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Behaviour]]:
    behaviour = Behaviour()
    with running(router_model(behaviour)) as address:
        yield address, behaviour


@pytest.fixture
def url(server: tuple[str, Behaviour]) -> str:
    return server[0]


@pytest.fixture
def behaviour(server: tuple[str, Behaviour]) -> Behaviour:
    server[1].__init__()  # type: ignore[misc]
    return server[1]


def over_tls(behaviour: Behaviour, made: SelfSigned) -> AbstractContextManager[str]:
    files = {"ssl_certfile": made.certificate, "ssl_keyfile": made.key}
    return running(router_model(behaviour), **files)


def test_what_the_server_finds_is_found_in_our_images(
    tmp_path: Path, url: str, behaviour: Behaviour
) -> None:
    site = Site(tmp_path, url)
    found = site.run_walled()
    (key,) = found.of(KeyImage)
    assert key.image in {each.SOPInstanceUID for each in site.slices}
    (table,) = found.of(Table)
    assert table.rows == (
        ("Result", "POSITIVE"),
        ("Finding 1", "bright spot"),
        ("Finding 1 size", "6.0 mm"),
    )
    (box,) = found.of(Box)
    pixels = next(s for s in site.slices if s.SOPInstanceUID == key.image).pixel_array
    row, column = np.unravel_index(pixels.argmax(), pixels.shape)
    (left, top), (right, bottom) = box.corners
    assert (left <= column <= right, top <= row <= bottom, box.image) == (True, True, key.image)
    (drawing,) = found.of(Drawing)
    assert drawing.pixels.shape == (24, 20, 3)
    (number,) = found.of(Measurement)
    assert (number.value, number.unit.value) == (6.0, "mm")
    notes = [note.text for note in found.of(Note)]
    assert "Computed by bright-spot 0.2.0-demo, as its server says." in notes
    assert notes[-1] == "Not tested at this hospital."


def test_no_name_reaches_the_server(tmp_path: Path, url: str, behaviour: Behaviour) -> None:
    site = Site(tmp_path, url)
    site.run_walled()
    (body,) = behaviour.received
    known = [*PATIENT, *(each.SOPInstanceUID for each in site.slices)]
    known += [site.slices[0].StudyInstanceUID, site.slices[0].SeriesInstanceUID]
    assert not [text for text in known if text.encode() in body]
    (sent,) = behaviour.studies
    assert {each.PatientIdentityRemoved for each in sent} == {"YES"}
    assert len({each.PatientID for each in sent}) == 1


def test_films_are_sent_as_well(tmp_path: Path, url: str, behaviour: Behaviour) -> None:
    card = ROUTER.replace('modality = "MR"\nslices = [3, 100]', 'modalities = ["CR", "DX"]')
    site = Site(tmp_path, url, card)
    site.slices = [radiograph(scene())]
    found = site.run()
    assert [key.image for key in found.of(KeyImage)] == [site.slices[0].SOPInstanceUID]
    assert len(behaviour.studies) == 1


def test_the_host_keeps_its_contract(tmp_path: Path, url: str) -> None:
    site = Site(tmp_path, url)
    check_host(site.host, site.job())


@pytest.mark.parametrize(
    ("failures", "requests"),
    [([(503, {"Retry-After": "0"}), (500, {})], 3), ([(429, {}), (408, {}), (502, {})], 4)],
)
def test_a_busy_server_is_asked_again(
    tmp_path: Path,
    url: str,
    behaviour: Behaviour,
    failures: list[tuple[int, dict[str, str]]],
    requests: int,
) -> None:
    behaviour.failures = list(failures)
    assert Site(tmp_path, url).run().of(KeyImage)
    assert len(behaviour.received) == requests
    assert len(set(map(len, behaviour.received))) == 1


def test_a_server_that_stays_busy_is_told_of(
    tmp_path: Path, url: str, behaviour: Behaviour
) -> None:
    behaviour.failures = [(503, {})] * 2
    with pytest.raises(ModuleError) as told:
        Site(tmp_path, url, attempts=2).run()
    assert str(told.value) == (
        "the server of bright-spot answers HTTP 503: injected failure; it was asked 2 times"
    )


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (422, "the server of bright-spot refuses (HTTP 422: injected failure)"),
        (404, "the server of bright-spot: HTTP 404: the server has no such model"),
        (413, "the server of bright-spot: HTTP 413: the server takes no body of that size"),
    ],
)
def test_a_refusal_is_final_and_told(
    tmp_path: Path, url: str, behaviour: Behaviour, status: int, words: str
) -> None:
    behaviour.failures = [(status, {})]
    with pytest.raises(ModuleError, match="^" + re.escape(words)):
        Site(tmp_path, url).run()
    assert len(behaviour.received) == 1


def test_a_wrong_token_is_refused_and_the_right_one_cures_it(
    tmp_path: Path, url: str, behaviour: Behaviour
) -> None:
    behaviour.token = "right"
    token = tmp_path / "token"
    token.write_text("wrong\n")
    token.chmod(0o600)
    made = SelfSigned.make(tmp_path)
    with over_tls(behaviour, made) as address:
        site = Site(tmp_path, address, token_file=token, tls={"ca_file": made.certificate})
        with pytest.raises(ModuleError, match="HTTP 401: the login is wrong"):
            site.run()
        token.write_text("right\n")
        assert site.run().of(KeyImage)


def test_a_certificate_that_nobody_vouches_for_is_not_talked_to(
    tmp_path: Path, behaviour: Behaviour
) -> None:
    made = SelfSigned.make(tmp_path)
    untrusted = pytest.raises(ModuleError, match="its certificate is not trusted")
    with over_tls(behaviour, made) as address, untrusted:
        Site(tmp_path, address).run()
    assert not behaviour.received


def test_a_token_never_crosses_the_network_in_the_clear(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="write https instead of http"):
        ServerHostSettings(module="x", url="http://10.0.0.1", token_file=tmp_path / "token")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"study_instance_uid": "1.2.3"}, "an image that the server was not given"),
        ({"key_sop_instance_uid": "2.25.1"}, "an image that the server was not given"),
        ({"study_instance_uid": None}, "the form of dicom-ai-router: study_instance_uid"),
        ({"overlays": [{"cx": 1, "cy": 1, "r": -1}]}, "the form of dicom-ai-router: overlays.0.r"),
        ({"overlays": [{"cx": 99, "cy": 1, "r": 3}]}, "lies outside of its key image"),
        ({"summary_lines": [["a", "b"]] * 151}, "the form of dicom-ai-router: summary_lines"),
    ],
)
def test_an_answer_about_something_else_is_refused(
    tmp_path: Path, url: str, behaviour: Behaviour, change: dict[str, Any], words: str
) -> None:
    behaviour.change = change
    with pytest.raises(ModuleError, match=re.escape(words)):
        Site(tmp_path, url).run()


def test_the_study_of_the_series_for_the_study_is_refused(
    tmp_path: Path, url: str, behaviour: Behaviour
) -> None:
    site = Site(tmp_path, url)
    key = Pseudonyms(site_key(tmp_path / "data")).of("server", site.name)
    behaviour.change = {"study_instance_uid": Aliases(key).uid(site.slices[0].SeriesInstanceUID)}
    with pytest.raises(ModuleError, match="about another study"):
        site.run()


def test_images_that_may_show_a_name_leave_only_where_the_site_says_so(
    tmp_path: Path, url: str, behaviour: Behaviour
) -> None:
    for name, settings in (("no", {}), ("yes", {"burned_in": "send"})):
        site = Site(tmp_path / name, url, **settings)
        for each in site.slices:
            each.BurnedInAnnotation = "YES"
        found = site.run()
        assert bool(found.refusals) != bool(found.of(KeyImage))
        if found.refusal:
            assert found.refusal.code == "not-sent"
            assert not behaviour.received
    assert len(behaviour.received) == 1


def test_what_is_too_much_for_the_server_is_not_sent(
    tmp_path: Path, url: str, behaviour: Behaviour
) -> None:
    words = "would get 2 MiB at once, more than request_mb = 1: raise it"
    for name, most, refused in (("less", 1, pytest.raises(ModuleError, match=words)), CURED):
        site = Site(tmp_path / name, url, request_mb=most)
        site.slices = mr_slices(count=3, shape=(500, 500))
        with refused:
            site.run()
    assert len(behaviour.received) == 1


def test_another_version_of_the_model_is_refused_where_the_card_names_one(
    tmp_path: Path, url: str, behaviour: Behaviour
) -> None:
    card = ROUTER.replace("endpoint =", 'model_version = "0.2.0-demo"\nendpoint =')
    assert Site(tmp_path / "same", url, card).run().of(KeyImage)
    behaviour.change = {"model_version": "0.3.0"}
    with pytest.raises(
        ModuleError, match=r"version '0\.3\.0' of the model answers, not '0\.2\.0-demo'"
    ):
        Site(tmp_path / "other", url, card).run()


def test_an_answer_without_end_is_not_read(tmp_path: Path, url: str, behaviour: Behaviour) -> None:
    behaviour.change = {"metrics": "x" * (2 << 20)}
    with pytest.raises(ModuleError, match="too large for answer_mb of its"):
        Site(tmp_path, url, answer_mb=1).run()


def test_nobody_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match=r"cannot be reached .*; it was asked 2 times"):
        Site(tmp_path, f"http://127.0.0.1:{available_port()}", attempts=2).run()


def test_a_result_that_nobody_wants_is_not_waited_for(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        site = Site(tmp_path, "http://{}:{}".format(*silent.getsockname()))
        silent.settimeout(PATIENCE)

        def is_wanted() -> bool:
            readable, _, _ = select.select([silent], [], [], 0)
            return not readable

        with closing(site.host), pytest.raises(ModuleCancelled):
            site.host.run(site.job(), is_wanted)


def test_a_module_on_a_server_needs_to_be_told_where_that_is(tmp_path: Path) -> None:
    models = model(tmp_path)
    with pytest.raises(ConfigurationError, match=r'kind = "server" and url'):
        usual("bright-spot", Place(models=models))
    values = {"models": str(models), "rule": [{"module": "bright-spot"}]}
    with pytest.raises(ConfigurationError, match=r'kind = "server" and url'):
        check_rules(parse(values))
    named = {"module": "bright-spot", "kind": "server", "url": "https://models.example"}
    check_rules(parse({**values, "host": [named]}))


def test_a_card_with_a_mistake_is_told(tmp_path: Path) -> None:
    models = model(tmp_path, ROUTER.replace('endpoint = "infer/bright"', 'endpoint = "/../x"'))
    _, problems = discover(Place(models=models))
    assert "endpoint" in problems["bright-spot"]


def test_a_study_on_the_disk_is_sent_by_the_settings_of_the_site(
    tmp_path: Path, url: str, behaviour: Behaviour
) -> None:
    models = model(tmp_path)
    files = write(mr_slices(count=3, shape=(24, 20)), tmp_path / "exam")
    settings = tmp_path / "hilum.toml"
    settings.write_text(
        f"models = '{models}'\n[[host]]\nmodule = 'bright-spot'\nkind = 'server'\nurl = '{url}'\n"
    )
    words = ["run", "bright-spot", str(files[0].parent), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*words, "--config", str(settings)])
    assert (done.exit_code, len(behaviour.studies)) == (0, 1), done.output
    assert "Computed by bright-spot" in done.output


@pytest.mark.parametrize("path", ["/v2", "a/../../b", "http://other/x", "a?b", ""])
def test_a_module_reaches_no_other_place_of_the_server(path: str) -> None:
    item = {"path": path, "media_type": "", "json_length": 0, "until_ready": False}
    with pytest.raises(ModuleError, match="not on the server"):
        request_in(Letter([item], {"content": np.zeros(0, np.uint8)}))


def test_what_is_no_request_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="is not a request"):
        request_in(Letter([{"path": "v2", "headers": {}}], {}))
