"""OHIF in a real Chromium, used as a radiologist uses it. For tests with the marker `browser`.

with browser.Reader() as reader:
    reader.open_study(viewer.study_url(uid))
    assert reader.load_segmentation("AI SEG")["Hippocampus"] == 3300
"""

import base64
import io
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.patience import PATIENCE

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = (
    "--use-angle=swiftshader",  # WebGL2 without a graphics card
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-gpu-rasterization",  # the page around it is drawn by the processor at half the cost
    "--disable-gpu-compositing",
    "--no-sandbox",
)

log = logging.getLogger(__name__)

State = Literal["attached", "visible"]
QUESTION = "[data-cy=yes-hydrate-btn]"  # "Do you want to open this ...?"
HAS_PIXELS = """() => (window.cornerstone?.getRenderingEngines?.() ?? []).some(engine =>
    engine.getViewports().some(viewport => !!viewport.getImageData?.()))"""
SHOWN_SERIES = """() => {
    const {activeViewportId, viewports} = window.services.viewportGridService.getState();
    const uids = viewports.get(activeViewportId)?.displaySetInstanceUIDs ?? [];
    return uids.map(uid =>
        window.services.displaySetService.getDisplaySetByUID(uid)?.SeriesDescription);
}"""
# Segment label -> SOP Instance UID and frame of the source -> indices of its pixels (row-major).
SEGMENT_VOXELS = """description => {
    const found = {};
    const all = window.cornerstoneTools.segmentation.state.getSegmentations();
    for (const {label, segments, representationData} of all) {
        if (label !== description) continue;
        const {imageIds = [], labelmaps} = representationData.Labelmap ?? {};
        const layers = labelmaps ? Object.values(labelmaps) : [{imageIds}];
        for (const {label} of Object.values(segments)) found[label] = {};
        const ids = new Set(layers.flatMap(layer => layer.imageIds ?? []).concat(imageIds));
        for (const id of ids) {
            const image = window.cornerstone.cache.getImage(id);
            const source = image?.referencedImageId
                ?.match(/instances\\/([0-9.]+)(?:\\/frames\\/([0-9]+))?/)
                ?.slice(1).join(" ");
            image?.voxelManager.getScalarData().forEach((value, index) => {
                if (value) (found[segments[value].label][source] ??= []).push(index);
            });
        }
    }
    return found;
}"""
GO_TO = """uid => {
    const id = window.services.viewportGridService.getState().activeViewportId;
    const viewport = window.services.cornerstoneViewportService.getCornerstoneViewport(id);
    const index = viewport.getImageIds().findIndex(image => image.includes(`/instances/${uid}/`));
    return viewport.setImageIdIndex(index);
}"""
IMAGES = """() => {
    const id = window.services.viewportGridService.getState().activeViewportId;
    return window.services.cornerstoneViewportService.getCornerstoneViewport(id)
        .getImageIds().length;
}"""
ZOOM = """factor => {
    const id = window.services.viewportGridService.getState().activeViewportId;
    const viewport = window.services.cornerstoneViewportService.getCornerstoneViewport(id);
    viewport.setZoom(factor);
    viewport.render();
}"""
HIDE = """([description, segment]) => {
    const id = window.services.viewportGridService.getState().activeViewportId;
    const {state} = window.cornerstoneTools.segmentation;
    const {segmentationId, segments} =
        state.getSegmentations().find(segmentation => segmentation.label === description);
    const index = Object.keys(segments).find(key => segments[key].label === segment);
    const specifier = {segmentationId, type: 'Labelmap'};
    window.cornerstoneTools.segmentation.config.visibility
        .setSegmentIndexVisibility(id, specifier, Number(index), false);
}"""
PDF = """async () => {
    const blob = await (await fetch(document.querySelector('object').data)).blob();
    return await new Promise(resolve => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result.split(',')[1]);
        reader.readAsDataURL(blob);
    });
}"""

Voxels = dict[str, dict[str, list[int]]]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium for several readers one after the other, none of whom knows of the others."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


class Reader:
    """A browser window with OHIF in it; `page` is Playwright's.

    It has a Chromium of its own, which takes a second to start, or is `within` one that runs.
    """

    page: Page

    def __init__(self, width: int = 1400, height: int = 880, within: Browser | None = None) -> None:
        self._size = {"width": width, "height": height}
        self._within = within
        self.errors: list[str] = []  # what the page's scripts complained about
        self._said: list[str] = []  # what they wrote to the console

    def __enter__(self) -> Self:
        self._to_close = ExitStack()
        browser = self._within or self._to_close.enter_context(chromium())
        self.page = browser.new_page(viewport=self._size)
        self._to_close.callback(self.page.close)
        self.page.set_default_timeout(1000 * PATIENCE)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self._said.append(message.text[:200]))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._to_close.close()

    def open_list(self, url: str) -> str:
        """Open the study list at `url`; return its text once it holds a study."""
        self.page.goto(url)
        self.page.wait_for_selector("text=/^[1-9]\\d*-\\d+ of \\d+$/")
        return self.page.inner_text("body")

    def open_study(self, url: str) -> list[str]:
        """Open a study, wait for its first image; return the descriptions of its series."""
        self.page.goto(url)
        self._until(HAS_PIXELS)
        confirm = self.page.locator("[data-cy=confirm-and-hide-button]")
        if confirm.count():
            confirm.click()
        self.page.wait_for_timeout(1000)  # the list of series fills while images load
        return self._thumbnails().locator("[data-cy=series-description-label]").all_inner_texts()

    def show(self, description: str) -> None:
        """Show the series called `description` in the viewport."""
        shown = f"({SHOWN_SERIES})().includes({description!r})"
        self._open_until(description, partial(self._until, shown))
        self._until(HAS_PIXELS)
        self.page.wait_for_timeout(500)  # drawing follows loading

    def show_nothing(self, description: str) -> None:
        """Open a series that has nothing to draw; the viewer must survive it."""
        self._open(description)
        self.page.wait_for_timeout(2000)

    def images(self) -> int:
        """How many images the shown series has."""
        found: int = self.page.evaluate(IMAGES)
        return found

    def load_segmentation(self, description: str) -> dict[str, int]:
        """Open a SEG as an overlay of its images; return the number of voxels per segment."""
        self._open_until(description, partial(_wait_for, self.page.locator(QUESTION)))
        self._agree()
        return {label: sum(map(len, v.values())) for label, v in self.voxels(description).items()}

    def voxels(self, description: str) -> Voxels:
        """The pixels OHIF counts to each segment of a loaded SEG.

        Segment label -> SOP Instance UID of the source image -> row-major pixel indices.
        """
        return {
            label: {source.split()[0]: pixels for source, pixels in of_segment.items()}
            for label, of_segment in self.voxels_by_frame(description).items()
        }

    def voxels_by_frame(self, description: str) -> Voxels:
        """As `voxels`, by "UID FRAME", for images with several frames."""
        found: Voxels = self.page.evaluate(SEGMENT_VOXELS, description)
        return found

    def open_report(self, description: str) -> list[str]:
        """Open an SR; return the texts drawn over the image it jumps to.

        OHIF asks first only if it could turn the outlines into measurements of its own.
        """
        texts = self.page.locator("[data-cy=viewport-pane] svg text")
        question = self.page.locator(QUESTION)
        self._open_until(description, partial(_wait_for, texts.or_(question).first))
        if question.count():
            self._agree()
        self.page.wait_for_timeout(500)  # drawing follows loading
        return [text for text in texts.all_text_contents() if text.strip()]

    def open_pdf(self, description: str) -> bytes:
        """Open an Encapsulated PDF; return the document the page shows."""
        page = self.page.locator("object[data^=blob]").first
        self._open_until(description, partial(_wait_for, page, state="attached"))
        return base64.b64decode(self.page.evaluate(PDF))

    def go_to(self, sop_instance_uid: str, zoom: float = 1) -> None:
        """Scroll to one image of the shown series, magnified `zoom` times."""
        self.page.evaluate(GO_TO, sop_instance_uid)
        self.page.evaluate(ZOOM, zoom)
        self.page.wait_for_timeout(700)

    def hide_segment(self, description: str, segment: str) -> None:
        """Switch one segment of a loaded SEG off, such as an organ drawn over its parts."""
        self.page.evaluate(HIDE, [description, segment])
        self.page.wait_for_timeout(700)

    def largest_slice(self, description: str) -> str:
        """SOP Instance UID of the image on which a loaded SEG covers most."""
        size: dict[str, int] = {}
        for images in self.voxels(description).values():
            for uid, indices in images.items():
                size[uid] = size.get(uid, 0) + len(indices)
        return max(size, key=lambda uid: size[uid])

    def picture(self) -> np.ndarray:
        """What the viewport shows, grey, without its corner texts; shape (rows, columns)."""
        box = self.page.locator("[data-cy=viewport-pane]").first.bounding_box()
        assert box is not None
        rows, columns = int(box["height"]), int(box["width"])
        clip: Any = box
        grey = Image.open(io.BytesIO(self.page.screenshot(clip=clip))).convert("L")
        return np.asarray(grey)[rows // 6 : -rows // 6, columns // 6 : -columns // 6]

    def screenshot(self, path: Path) -> Path:
        """Save the whole page as PNG."""
        self.page.screenshot(path=path)
        return path

    def _until(self, true: str, seconds: float = PATIENCE) -> None:
        """Wait for what a script says. It is not asked at each frame, which would draw them all."""
        self.page.wait_for_function(true, timeout=1000 * seconds, polling=100)

    def _thumbnails(self) -> Locator:
        return self.page.locator("[data-cy^=study-browser-thumbnail]")

    def _open(self, description: str) -> None:
        label = self.page.get_by_text(re.compile(f"^{re.escape(description)}$"))
        self._thumbnails().filter(has=label).first.dblclick()

    def _open_until(self, description: str, wait: Callable[[float], None]) -> None:
        """Open it, and once more on a new page where it is in vain to `wait`, which takes seconds.

        OHIF loses a click while it draws its list anew, or does not go to the image that a report
        is about. What it shows then is logged: pytest prints that where the second time fails, too.
        """
        try:
            self._open(description)
            wait(PATIENCE / 4)
        except PlaywrightTimeout:
            log.warning("in vain: %s, %s: %s", description, self.errors, self._said[-20:])
            self.open_study(self.page.url)
            self._open(description)
            wait(PATIENCE)

    def _agree(self) -> None:
        """Answer "Do you want to open this ...?" with yes."""
        yes = self.page.locator(QUESTION)
        yes.wait_for()
        self.page.wait_for_timeout(1000)  # the overlay is made while the question is shown
        yes.click()
        yes.wait_for(state="detached")
        self.page.wait_for_timeout(1000)


def _wait_for(wanted: Locator, seconds: float, state: State = "visible") -> None:
    wanted.wait_for(timeout=1000 * seconds, state=state)
