"""The person or program behind a request."""

from dataclasses import dataclass

from hilum.people.roles import MAY, Permission, UserRole


@dataclass(frozen=True)
class Visitor:
    """Who asks, in which role; `form_token` has to come with every form of theirs (CSRF).

    `name` is for people to read. `identity` says for sure who it is: two may have the same name
    where one has an account here and the other one at an OpenID provider.
    """

    name: str
    role: UserRole
    form_token: str = ""
    identity: str = ""
    address: str = ""  # of their machine

    def may(self, permission: Permission) -> bool:
        """Whether their role allows it."""
        return permission in MAY[self.role]
