"""What administrators change about people and programs; each act is on record before it is done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hilum.audit import AuditedAct
from hilum.audit.entry import AuditedObject, ObjectType
from hilum.console.desk import Desk
from hilum.console.noting import on_record
from hilum.errors import HilumError
from hilum.people.accounts import Person, identity_of
from hilum.people.roles import UserRole
from hilum.people.visitor import Visitor

OWN = "that is your own account: ask another administrator, or type `hilum people`"

Returned = TypeVar("Returned")


@dataclass(frozen=True)
class Peopling:
    """Acts of `visitor`.

    Each raises `HilumError`, with the reason, if it was not done.
    """

    desk: Desk
    visitor: Visitor

    def add(self, name: str, role: UserRole, password: str) -> Person:
        """Add an account."""
        accounts = self.desk.everybody.accounts
        return self._noted(name, f"add as {role}", lambda: accounts.add(name, role, password))

    def set_role(self, name: str, role: UserRole) -> None:
        """Give somebody else another role."""
        self._require_other(name)
        accounts = self.desk.everybody.accounts
        self._noted(name, f"role {role}", lambda: accounts.set_role(name, role))

    def disable(self, name: str, disabled: bool) -> None:
        """Keep somebody else out, or let them in again."""
        self._require_other(name)
        accounts = self.desk.everybody.accounts
        what = "disable" if disabled else "enable"
        self._noted(name, what, lambda: accounts.disable(name, disabled))

    def remove(self, name: str) -> None:
        """Remove somebody else's account."""
        self._require_other(name)
        self._noted(name, "remove", lambda: self.desk.everybody.accounts.remove(name))

    def set_password(self, name: str, password: str) -> None:
        """Give somebody another password, and sign them out."""
        accounts = self.desk.everybody.accounts
        self._noted(name, "password", lambda: accounts.set_password(name, password))

    def add_token(self, name: str, role: UserRole, days: int) -> str:
        """A new token for a program."""
        tokens = self.desk.everybody.tokens
        reason = f"token add as {role} for {days} days"
        return self._noted(name, reason, lambda: tokens.add(name, role, days))

    def remove_token(self, name: str) -> None:
        """Take a token back."""
        self._noted(name, "token remove", lambda: self.desk.everybody.tokens.remove(name))

    def _require_other(self, name: str) -> None:
        if self.visitor.identity == identity_of(name):
            raise HilumError(OWN)

    def _noted(self, name: str, reason: str, work: Callable[[], Returned]) -> Returned:
        about = AuditedObject(ObjectType.PERSON, name)
        with on_record(self.desk, self.visitor, AuditedAct.PEOPLE_CHANGED, about, reason):
            return work()
