"""What other packages register is found; what does not load is named and harms nothing else."""

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory import a_delivery, put
from hilum.checking import check_ends
from hilum.cli import app
from hilum.config import load, parse
from hilum.config.kinds import LONGEST_VARIANT
from hilum.errors import ConfigurationError
from hilum.kinds import (
    DESTINATIONS,
    EVERY_GROUP,
    FORMATS,
    HOSTS,
    LONGEST_MEDIA_TYPE,
    LONGEST_NAME,
    NOTIFIERS,
    OBJECTS,
    SOURCES,
    WORKLISTS,
    Kinds,
)
from hilum.objects import write_other_withdrawals, write_what_can_be
from hilum.records import Records, tables
from hilum.testing import analysis_of, write_series
from hilum_lab.package import write_package

OURS = {
    DESTINATIONS: ("dicomweb", "dimse", "fhir", "folder", "mllp", "webhook"),
    SOURCES: ("dicomweb", "orthanc"),
    OBJECTS: ("fhir", "json", "oru", "own", "pdf", "pm", "sc", "seg", "sr"),
    HOSTS: ("child", "container", "server"),
    FORMATS: (
        "dicom-ai-router",
        "environment",
        "kserve",
        "mercure",
        "monai-bundle",
        "monai-map",
        "nnunet",
        "volume",
    ),
    NOTIFIERS: ("email", "webhook"),
    WORKLISTS: ("ups", "ups-rs"),
}
FOLDER = {"name": "out", "kind": "folder", "folder": "out"}


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Registers kinds as another package does, for this test."""

    def registered(kinds: Kinds, package: str, source: str, **points: str) -> None:
        module = package.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source)
        targets = {name: f"{module}:{target}" for name, target in points.items()}
        write_package(tmp_path, package, targets, kinds.group)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, module, raising=False)

    return registered


def test_ours_come_through_the_same_door() -> None:
    for kinds, names in OURS.items():
        assert kinds.names == names
        assert [kind.problem for kind in kinds.each()] == [""] * len(names)
        assert {kind.package for kind in kinds.each()} == {"hilum"}


BROKEN = {
    "import nothing_of_that_name": "ModuleNotFoundError: No module named 'nothing_of_that_name'",
    "raise RuntimeError('no licence')": "RuntimeError: no licence",
    "other = 1": "AttributeError",
    "class Kind: pass": "has no ",
}


@pytest.mark.parametrize("kinds", EVERY_GROUP, ids=lambda kinds: kinds.group)
@pytest.mark.parametrize("source", BROKEN)
def test_a_kind_that_does_not_load_is_named_with_its_package(
    kinds: Kinds, source: str, register: Callable[..., None]
) -> None:
    register(kinds, "their-package", source, theirs="Kind")
    with pytest.raises(ConfigurationError) as refused:
        kinds.load("theirs")
    assert BROKEN[source] in str(refused.value)
    assert str(refused.value).endswith("; repair or uninstall their-package")
    assert set(OURS[kinds]) == set(kinds.usable())
    shown = CliRunner().invoke(app, ["kinds"])
    assert shown.exit_code == 1
    assert "their-package" in shown.output
    assert "repair or uninstall" in " ".join(shown.output.split())


ODD_SETTINGS = """
class Kind:
    settings, takes = {settings}, ()
    is_reachable = send = ask = filing = check = None
"""


@pytest.mark.parametrize("settings", ["None", "dict", "'folder'", "{}"])
def test_settings_that_are_none_are_named_and_init_works(
    settings: str, register: Callable[..., None], tmp_path: Path
) -> None:
    source = ODD_SETTINGS.format(settings=settings)
    register(DESTINATIONS, "their-package", source, theirs="Kind")
    with pytest.raises(ConfigurationError, match="not a settings class; repair or uninstall"):
        parse({"destination": [{"name": "x", "kind": "theirs"}]})
    written = CliRunner().invoke(app, ["init", "--config", str(tmp_path / "hilum.toml")])
    assert written.exit_code == 0
    assert "theirs is left out: " in written.output
    assert load(tmp_path / "hilum.toml").destination[0].name == "pacs"


def test_a_broken_kind_is_told_where_it_is_used_and_nowhere_else(
    register: Callable[..., None],
) -> None:
    register(DESTINATIONS, "their-package", "import nothing_of_that_name", theirs="Kind")
    assert parse({"destination": [FOLDER]}).destination[0].name == "out"
    with pytest.raises(ConfigurationError, match=r"^destination x: .* uninstall their-package"):
        parse({"destination": [FOLDER, {"name": "x", "kind": "theirs"}]})


@pytest.mark.parametrize("kinds", EVERY_GROUP, ids=lambda kinds: kinds.group)
def test_a_name_that_the_records_cannot_hold_is_refused(
    kinds: Kinds, register: Callable[..., None]
) -> None:
    longest, longer = "k" * LONGEST_NAME, "k" * (LONGEST_NAME + 1)
    members = "media_type, refers_to, write = 'text/plain', (), None\n"
    register(kinds, "their-package", f"class Kind:\n    {members}", **{longest: "Kind"})
    register(kinds, "other-package", f"class Kind:\n    {members}", **{longer: "Kind"})
    with pytest.raises(ConfigurationError) as refused:
        kinds.load(longer)
    assert "has a name of more than 32 characters" in str(refused.value)
    assert str(refused.value).endswith("; repair or uninstall other-package")
    if kinds is OBJECTS:  # others lack members, which is told then
        assert kinds.load(longest)


@pytest.mark.parametrize("length", [LONGEST_MEDIA_TYPE, LONGEST_MEDIA_TYPE + 1])
def test_a_media_type_that_the_records_cannot_hold_is_refused(
    length: int, register: Callable[..., None]
) -> None:
    media_type = "text/x-".ljust(length, "x")
    source = f"class Kind:\n    media_type, refers_to, write = {media_type!r}, (), None\n"
    register(OBJECTS, "their-package", source, theirs="Kind")
    if length == LONGEST_MEDIA_TYPE:
        assert OBJECTS.load("theirs").media_type == media_type
        return
    with pytest.raises(ConfigurationError, match="media type of more than 64 characters; repair"):
        OBJECTS.load("theirs")


def test_the_columns_of_the_records_are_as_wide_as_kinds_may_be() -> None:
    columns = tables.result.c
    widths = (columns.kind.type.length, columns.media_type.type.length)
    assert widths == (LONGEST_NAME, LONGEST_MEDIA_TYPE)
    variants = {tables.result.c.variant.type.length, tables.delivery.c.variant.type.length}
    assert variants == {LONGEST_VARIANT}


def test_more_objects_than_the_records_can_name_are_refused(
    register: Callable[..., None], database: str
) -> None:
    names = [f"{n}".ljust(LONGEST_NAME, "k") for n in range(8)]
    source = "class Kind:\n    media_type, refers_to, write = 'text/plain', (), None\n"
    register(OBJECTS, "their-package", source, **dict.fromkeys(names, "Kind"))
    with pytest.raises(
        ConfigurationError, match=r"too long together, by [0-9]+ characters: leave one out"
    ):
        parse({"destination": [{**FOLDER, "objects": names}]})
    two = [{**FOLDER, "objects": names[1:]}, {**FOLDER, "name": "two", "objects": names[:1]}]
    places = parse({"destination": two}).destination  # the cure that is printed
    with closing(Records(database)) as records:
        for place in places:
            put(records, a_delivery("1.2.3", place.name, variant=place.variant))
        kept = {one.variant for one in records.deliveries.of_workitem("1.2.3")}
    assert kept == {place.variant for place in places}


@pytest.mark.parametrize("name", ["", "a b", "ö", "x" * 33, "../out"])
def test_a_destination_has_a_name_that_fits_everywhere(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^destination .*: name: a name has 1 to 32"):
        parse({"destination": [{**FOLDER, "name": name}]})


def test_a_kind_of_ours_keeps_its_name(register: Callable[..., None]) -> None:
    register(DESTINATIONS, "their-package", "Kind = 1", folder="Kind")
    assert parse({"destination": [FOLDER]}).destination[0].kind == "folder"
    told = [kind for kind in DESTINATIONS.each() if kind.problem]
    assert [(kind.name, kind.package) for kind in told] == [("folder", "their-package")]
    assert told[0].problem == "left out: hilum has a destination of that kind"


NUMBERS_ONLY = """
from hilum.config.kinds import DestinationSettings

class Numbers:
    settings, takes = DestinationSettings, ("application/json",)
    is_reachable = send = ask = filing = check = None
"""


def test_what_cannot_take_it_is_sent_nothing_else(register: Callable[..., None]) -> None:
    register(DESTINATIONS, "their-package", NUMBERS_ONLY, numbers="Numbers")
    theirs = {"name": "registry", "kind": "numbers", "objects": []}
    check_ends(parse({"destination": [theirs]}))
    with pytest.raises(ConfigurationError, match="'sr' is application/dicom, which kind 'numbers'"):
        check_ends(parse({"destination": [{**theirs, "objects": ["sr"]}]}))
    route = {"send_to": ["registry"], "images": True}
    with pytest.raises(ConfigurationError, match="'registry' takes no images: set images = false"):
        check_ends(parse({"destination": [theirs], "route": [route]}))
    check_ends(parse({"destination": [theirs], "route": [{**route, "images": False}]}))


MOODY_OBJECT = """
class Moody:
    media_type, refers_to = "text/plain", ()

    def __init__(self):
        raise RuntimeError("no licence")

    write = None
"""


def test_an_object_that_cannot_be_made_costs_that_object_only(
    register: Callable[..., None], tmp_path: Path
) -> None:
    register(OBJECTS, "their-package", MOODY_OBJECT, moody="Moody", absent="Absent")
    lost: dict[str, str] = {}
    analysis = analysis_of(write_series(tmp_path / "exam"))
    written = write_what_can_be(analysis, lost, ("moody", "sr", "absent", "gone"))
    assert [document.kind for document in written] == ["sr"]
    assert lost.keys() == {"moody", "absent", "gone"}
    assert lost["moody"].startswith("RuntimeError in their_package.py")


def test_what_a_package_wrote_that_is_gone_cannot_be_taken_back(tmp_path: Path) -> None:
    analysis = analysis_of(write_series(tmp_path))
    lost: dict[str, str] = {}
    assert write_other_withdrawals(analysis, {"1.2.3": "gone"}, lost, "Of another part.") == []
    assert lost == {}


def test_what_is_registered_is_listed() -> None:
    shown = CliRunner().invoke(app, ["kinds"])
    assert shown.exit_code == 0
    for kinds, names in OURS.items():
        for name in names:
            assert f"{kinds.group:<20} {name:<12} of hilum" in shown.output
