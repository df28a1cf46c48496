"""What the console has in place of a command: whoever reads a cure in a browser has no shell.

A cure is written once, with the command that does it in backticks. The command line and messages to
people print it so; pages show the name of their own place, with a link where there is one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hilum.console.acts import RUN_AGAIN, SEND_AGAIN, STOP, TAKE_BACK, StudyAct

NO_ADDRESSES: Mapping[str, str] = {}


@dataclass(frozen=True)
class ConsolePlace:
    """What a page calls it, and where it is; "" where it is a button of the study's own page."""

    label: str
    path: str = ""


PAGES = {
    "hilum status": ConsolePlace("Network", "/network#rejected"),
    "hilum sources": ConsolePlace("Network", "/network#from"),
    "hilum destinations": ConsolePlace("Network", "/network#to"),
    "hilum quarantine": ConsolePlace("Network", "/network#quarantine"),
    "hilum modules": ConsolePlace("Modules", "/modules"),
    "hilum audit verify": ConsolePlace("Audit", "/audit"),
}
ACTS: dict[str, StudyAct] = {
    "hilum retry": RUN_AGAIN,
    "hilum release": SEND_AGAIN,
    "hilum cancel": STOP,
    "hilum withdraw": TAKE_BACK,
}
OF_STUDY = "hilum trace"
WITH_NAME = {  # what follows is the name of a destination, source or module
    "hilum release --destination": ConsolePlace(SEND_AGAIN.label, "/studies?state=parked"),
}


def in_place_of(command: str, addresses: Mapping[str, str] = NO_ADDRESSES) -> ConsolePlace | None:
    """What stands for `command`, None where nothing does.

    `addresses` are those of studies, by whatever a command names: the UID of the study, or the end
    of the id of one of its workitems.
    """
    if command in PAGES:
        return PAGES[command]
    what, _, named = command.rpartition(" ")
    if what == OF_STUDY and named in addresses:
        return ConsolePlace(f"Study {addresses[named]}", f"/studies/{addresses[named]}")
    if what in ACTS and named in addresses:
        return ConsolePlace(ACTS[what].label, f"/studies/{addresses[named]}")
    if command in ACTS:
        return ConsolePlace(ACTS[command].label)
    return next(
        (place for begin, place in WITH_NAME.items() if command.startswith(f"{begin} ")), None
    )
