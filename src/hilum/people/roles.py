"""Roles, and what each of them may do.

Every page and every endpoint of the console names one permission. A test asks each of them in each
role and compares the answers with `MAY`.
"""

from enum import StrEnum


class Permission(StrEnum):
    """What somebody may do. Every endpoint asks for exactly one."""

    NONE = "none"  # open to whoever reaches the console: nothing behind it names a patient
    LOOK = "look"  # how things stand: studies, decisions, results, without patient data
    SEE_PATIENTS = "see patients"  # names, numbers, images and reports
    ASSESS = "assess"  # say of a result whether it is right
    ACT = "act"  # run again, send again, take back, fetch, upload
    CONFIGURE = "configure"  # rules, modules, sources and destinations
    ADMINISTER = "administer"  # people, tokens, and the record of who did what


class UserRole(StrEnum):
    """What a person or a program is to Hilum."""

    VIEWER = "viewer"
    READER = "reader"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


_ALL = frozenset({Permission.NONE, Permission.LOOK})
_PATIENTS = _ALL | {Permission.SEE_PATIENTS}

# An administrator sets up who may judge results, and so judges none.
MAY: dict[UserRole, frozenset[Permission]] = {
    UserRole.VIEWER: _ALL,
    UserRole.READER: _PATIENTS | {Permission.ASSESS},
    UserRole.OPERATOR: _PATIENTS | {Permission.ACT},
    UserRole.ADMINISTRATOR: _PATIENTS
    | {Permission.ACT, Permission.CONFIGURE, Permission.ADMINISTER},
}
