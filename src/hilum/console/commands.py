"""What the console has in place of a command: whoever reads a cure in a browser has no shell.

A cure is written once, with the command that does it in backticks. The command line and messages to
people print it so; pages show the name of their own place, with a link where there is one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hilum.console.acts import (
    ANALYSE_SHORT,
    BEGIN_NOW,
    RUN_AGAIN,
    SEND_AGAIN,
    SEND_ON,
    STOP,
    TAKE_BACK,
    StudyAct,
)

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
    "hilum fetch": ConsolePlace("Why not?", "/why"),
    "hilum audit verify": ConsolePlace("Audit", "/audit"),
    "hilum check": ConsolePlace("Settings", "/settings"),
}
ACTS: dict[str, StudyAct] = {
    "hilum retry": RUN_AGAIN,
    "hilum rerun": RUN_AGAIN,
    "hilum analyse --incomplete": ANALYSE_SHORT,
    "hilum release": SEND_AGAIN,
    "hilum begin": BEGIN_NOW,
    "hilum cancel": STOP,
    "hilum withdraw": TAKE_BACK,
}
OF_STUDY = ("hilum trace", "hilum why")
OF_PATIENTS = "hilum decide"
OF_PARKED = "hilum release --destination"
FETCH = "hilum fetch "  # its button stands beside what the archive answers
OF_DISABLED = "hilum modules enable"
SENT_ON = re.compile(r"hilum send-on (?P<named>\S+) --to \S+")
PAUSED = re.compile(r"hilum resume (?P<name>\S+) --kind (?P<kind>destination|source)")


def in_place_of(command: str, addresses: Mapping[str, str] = NO_ADDRESSES) -> ConsolePlace | None:
    """What stands for `command`, None where nothing does.

    `addresses` are those of studies, by whatever a command names: the UID of the study, or the end
    of the id of one of its workitems.
    """
    if command in PAGES:
        return PAGES[command]
    if command.startswith(FETCH):
        return ConsolePlace(f"Fetch it from {command.rpartition(' ')[2]}")
    what, _, named = command.rpartition(" ")
    if what in OF_STUDY and named in addresses:
        return ConsolePlace(f"Study {addresses[named]}", f"/studies/{addresses[named]}")
    if what == OF_PATIENTS and named in addresses:
        address = addresses[named]
        return ConsolePlace(f"Patients of study {address}", f"/studies/{address}/patients")
    if what in ACTS and named in addresses:
        return ConsolePlace(ACTS[what].label, f"/studies/{addresses[named]}")
    if (sent := SENT_ON.fullmatch(command)) and sent["named"] in addresses:
        return ConsolePlace(SEND_ON.label, f"/studies/{addresses[sent['named']]}")
    if what == OF_PARKED:
        return ConsolePlace(SEND_AGAIN.label, f"/network/destinations/{named}#parked")
    if paused := PAUSED.fullmatch(command):
        kind, name = paused["kind"], paused["name"]
        return ConsolePlace(f"Let {name} go on", f"/network/{kind}s/{name}#pause-title")
    if what == OF_DISABLED:
        return ConsolePlace(f"Enable {named}", f"/modules/{named}")
    return ConsolePlace(ACTS[command].label) if command in ACTS else None
