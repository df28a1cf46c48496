"""What walls keep a module from doing, and how it is named.

The kernel answers each kind of deed with an error number of its own, so that the module's author
is told what was tried, by whichever library.
"""

import errno
from enum import Enum

from hilum.errors import chain_of


class Deed(Enum):
    """A kind of deed: the error it meets, what it is called, and what helps."""

    NETWORK = (
        errno.ENETDOWN,
        "open a network connection",
        "where it needs one, set network = true in its [[host]]",
    )
    FILE = (
        errno.EACCES,
        "use a file that is not its own",
        "where it needs a folder, name it by folders in its [[host]]",
    )
    PROCESS = (
        errno.ECHILD,
        "start a process",
        "a module that needs to says `processes = True`",
    )
    OTHERS = (errno.ESRCH, "reach another process", "no setting allows that")
    RIGHTS = (
        errno.EPERM,
        "change the owner, rights, times or length of a file by its name",
        "shutil.copyfile copies without rights",
    )
    KERNEL = (errno.ENOSYS, "use a service of the kernel", "no setting allows that")

    @property
    def number(self) -> int:
        """The error number that the kernel answers with."""
        return self.value[0]


# EXDEV is how Landlock refuses to link or move a file out of its folder.
_BY_NUMBER = {deed.number: deed for deed in Deed} | {errno.EXDEV: Deed.FILE}


def deed_of(error: BaseException) -> Deed | None:
    """What the walls have stopped on the way to `error`, None if it was not they."""
    for each in chain_of(error):
        if isinstance(each, OSError) and each.errno in _BY_NUMBER:
            return _BY_NUMBER[each.errno]
    return None


def named(deed: Deed, place: str) -> str:
    """The sentence for people. `place` is the error and the line of the module."""
    _number, what, cure = deed.value
    return f"the module tried to {what}, which its walls forbid ({place}): {cure}"
