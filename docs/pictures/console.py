"""Takes a picture of every page of the console in each state, to be looked at.

Empty, busy, broken (the console has died), in trouble (a module, a destination and the disk), and
with its database away.

    python docs/pictures/console.py FOLDER

Each is taken on a desktop, on a phone and in the dark: FOLDER/studies-busy-phone.png. The patients
are made up. It runs in the folder of the repository, with the packages of the tests.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from playwright.sync_api import Page
from tests.browser import Reader
from tests.console.house import SETTINGS, House, a_house_with_file, make_busy
from tests.signing_in import browse_as

from factory import a_study, put
from hilum.console import pages
from hilum.console.endpoints import found_in
from hilum.records.models.standings import DestinationStanding
from hilum.records.states import DestinationState
from hilum.wording import NOT_JUDGED_YET

LOOKS = {  # width and height in px, and the scheme of colours
    "desktop": (1280, 800, "light"),
    "phone": (390, 800, "light"),
    "dark": (1280, 800, "dark"),
}
NO_PICTURE = (
    "/live",
    "/log/live",
    "/login/openid",
    "/login/openid/callback",
    "/statistics.csv",
    "/enter",
)
SAYS_BROKEN = "document.querySelector(PARTS) && (changes.close(), heard = 0, look(), true)"
ENDS = """
[[destination]]
name = "pacs"
kind = "dimse"

[[source]]
name = "archive"
kind = "orthanc"
url = "http://pacs:8042"

[[worklist]]
name = "steps"
kind = "ups-rs"
url = "http://pacs/dicom-web"
"""
FULL_DISK = "receiver.low_water_mb = 99999999\n"
ONE_OF_EACH = (  # of the pages that are about one of several
    "/modules/hippocampal-volume",
    "/network/destinations/out",
    "/network/sources/archive",
    "/network/worklists/steps",
    "/rules/edit/hippocampal-volume",
)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for state in ("empty", "busy", "troubled", "away"):
        settings = f"{FULL_DISK if state == 'troubled' else ''}{SETTINGS}{ENDS}"
        with (
            TemporaryDirectory() as name,
            a_house_with_file(Path(name), settings, patience=1.0) as house,
            Reader() as reader,
        ):
            browse_as(reader.page, house.site, url=house.url)
            study = make_busy(house) if state != "empty" else ""
            if state == "troubled":
                study = make_trouble(house)
            if state == "away":
                take_away(house)
            for path in paths(study):
                take(reader.page, house, path, state, folder)


def make_trouble(house: House) -> str:
    """A destination is away, and a study waits for a module that is broken: its address."""
    now = time.time()
    standing = DestinationStanding("pacs", DestinationState.UNREACHABLE, now - 4000, "no answer")
    house.records.destinations.note(standing)
    lack = "its container image hospital/chest:4 is not on this machine"
    why = f"{NOT_JUDGED_YET}: the module chest-radiograph cannot be used: {lack}"
    about = {"settled_images": 0, "first_at": now - 900, "last_at": now - 800, "reason": why}
    put(house.records, a_study(study_uid="1.2.840.77", folder="77", **about))
    return house.records.identifiers.addresses(["1.2.840.77"])["1.2.840.77"]


def take_away(house: House) -> None:
    """The database of the records cannot be opened."""
    house.records.database.close()
    (house.site.data / "hilum.db").rename(house.site.data / "away.db")
    (house.site.data / "hilum.db").mkdir()


def paths(study: str) -> Iterator[str]:
    """Every page that has an address of its own, one of each other kind, and that of a study."""
    for endpoints in found_in(pages):
        for endpoint in endpoints.found:
            is_page = "response_class" in endpoint.options and "{" not in endpoint.path
            if endpoint.method == "GET" and is_page and endpoint.path not in NO_PICTURE:
                yield endpoint.path
    yield from ONE_OF_EACH
    if study:
        yield f"/studies/{study}"


def take(page: Page, house: House, path: str, state: str, folder: Path) -> None:
    """One page in each look; a busy one is then broken, too, and one without records is refused."""
    name = path.strip("/").replace("/", "-") or "now"
    name = "study" if path.startswith("/studies/") else name
    for look, (width, height, scheme) in LOOKS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        answer = page.goto(house.url + path)
        expected = (200, 503) if state == "away" else (200,)
        assert answer and answer.status in expected, (path, answer and answer.status)
        page.screenshot(path=folder / f"{name}-{state}-{look}.png", full_page=True)
        if state == "busy" and page.evaluate(SAYS_BROKEN):
            page.screenshot(path=folder / f"{name}-broken-{look}.png", full_page=True)


if __name__ == "__main__":
    main()
