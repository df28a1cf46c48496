"""Takes a picture of every page of the console as it is empty, busy and broken, to be looked at.

    python docs/pictures/console.py FOLDER

Each is taken on a desktop, on a phone and in the dark: FOLDER/studies-busy-phone.png. The patients
are made up. It runs in the folder of the repository, with the packages of the tests.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from playwright.sync_api import Page
from tests.browser import Reader
from tests.console.house import SETTINGS, House, a_house_with_file, make_busy
from tests.signing_in import browse_as

from hilum.console import pages
from hilum.console.endpoints import found_in

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
    for state in ("empty", "busy"):
        with (
            TemporaryDirectory() as name,
            a_house_with_file(Path(name), SETTINGS + ENDS) as house,
            Reader() as reader,
        ):
            browse_as(reader.page, house.site, url=house.url)
            study = make_busy(house) if state == "busy" else ""
            for path in paths(study):
                take(reader.page, house, path, state, folder)


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
    """One page in each look; a busy one is then broken, too."""
    name = path.strip("/").replace("/", "-") or "now"
    name = "study" if path.startswith("/studies/") else name
    for look, (width, height, scheme) in LOOKS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        answer = page.goto(house.url + path)
        assert answer and answer.status == 200, (path, answer and answer.status)
        page.screenshot(path=folder / f"{name}-{state}-{look}.png", full_page=True)
        if state == "busy" and page.evaluate(SAYS_BROKEN):
            page.screenshot(path=folder / f"{name}-broken-{look}.png", full_page=True)


if __name__ == "__main__":
    main()
