"""Commands for accounts and tokens, and the link that opens the console of this machine."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hilum.cli.app import DEFAULT_CONFIG, AsJson, Config, app, clock, out, print_json, say
from hilum.cli.audited import put_on_record
from hilum.cli.tables import add_row, print_table
from hilum.errors import HilumError
from hilum.people.roles import UserRole

if TYPE_CHECKING:
    from hilum.people.everybody import Everybody

LINK_MINUTES = 10

people = typer.Typer(
    help="Who may sign in to the console, and which programs may ask it.", no_args_is_help=True
)
tokens = typer.Typer(help="Tokens that programs show instead of a password.", no_args_is_help=True)
people.add_typer(tokens, name="token")
app.add_typer(people, name="people")

PersonName = Annotated[str, typer.Argument(help="Name that the person signs in with.")]
TokenName = Annotated[str, typer.Argument(help="Name of the token, such as that of the program.")]
TheRole = Annotated[UserRole, typer.Option("--role", help="What they may do.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", help="Read the password here instead of asking for it."),
]


@people.command()
def add(
    name: PersonName,
    role: TheRole,
    password_file: PasswordFile = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Add an account."""
    with _everybody(config) as everybody:
        made = everybody.accounts.add(name, role, _password(password_file))
    say.print(f"{made.name} may sign in as {made.role}")


@people.command("list")
def list_people(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """List the accounts."""
    with _everybody(config) as everybody:
        accounts = everybody.accounts.all()
    if as_json:
        print_json(accounts)
        return
    table = Table("name", "role", "added", "", box=None)
    for one in accounts:
        add_row(table, one.name, one.role, clock(one.created), "disabled" if one.disabled else "")
    if accounts:
        print_table(table)
    else:
        out.print("there are no accounts; `hilum people add` makes one")


@people.command()
def remove(name: PersonName, config: Config = DEFAULT_CONFIG) -> None:
    """Remove an account, and sign its person out."""
    with _everybody(config) as everybody:
        everybody.accounts.remove(name)
    say.print(f"{escape(name)} is removed and signed out")


@people.command()
def disable(
    name: PersonName,
    undo: Annotated[bool, typer.Option("--undo", help="Let the person in again.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Keep a person out without removing the account."""
    with _everybody(config) as everybody:
        everybody.accounts.disable(name, not undo)
    say.print(f"{escape(name)} " + ("may sign in again" if undo else "is disabled and signed out"))


@people.command()
def role(
    name: PersonName,
    new: Annotated[UserRole, typer.Argument(help="What the person may do from now on.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Give a person another role; it counts at once."""
    with _everybody(config) as everybody:
        everybody.accounts.set_role(name, new)
    say.print(f"{escape(name)} is {new} now")


@people.command()
def password(
    name: PersonName, password_file: PasswordFile = None, config: Config = DEFAULT_CONFIG
) -> None:
    """Give a person another password, and sign them out everywhere."""
    with _everybody(config) as everybody:
        everybody.accounts.set_password(name, _password(password_file))
    say.print(f"{escape(name)} has a new password, and is signed out everywhere")


@tokens.command("add")
def add_token(
    name: TokenName,
    role: TheRole,
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="Days until it ends.")] = 365,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Make a token for a program. It is printed once; nobody can read it later."""
    with _everybody(config) as everybody:
        text = everybody.tokens.add(name, role, days)
    say.print(
        f"the program {escape(name)} may ask as {role} for {days} days, with the header\n"
        "Authorization: Bearer TOKEN. Keep the token, which is not shown again:"
    )
    out.print(text)


@tokens.command("list")
def list_tokens(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """List the tokens, without what they are."""
    with _everybody(config) as everybody:
        found = everybody.tokens.all()
    if as_json:
        print_json(found)
        return
    table = Table("name", "role", "made", "ends", "last used", box=None)
    for one in found:
        used = clock(one.used) if one.used else "never"
        add_row(table, one.name, one.role, clock(one.created), clock(one.ends), used)
    if found:
        print_table(table)
    else:
        out.print("there are no tokens; `hilum people token add` makes one")


@tokens.command("remove")
def remove_token(name: TokenName, config: Config = DEFAULT_CONFIG) -> None:
    """Remove a token; it opens nothing from now on."""
    with _everybody(config) as everybody:
        everybody.tokens.remove(name)
    say.print(f"the token {escape(name)} is removed")


@app.command()
def console(config: Config = DEFAULT_CONFIG) -> None:
    """Print a link that opens the console in a browser of this machine, once."""
    from hilum.config import load
    from hilum.people.entrance import entrance, require_console, system_user

    site = load(config)
    require_console(site)
    link = entrance(site, 60 * LINK_MINUTES, system_user())
    say.print(f"this link signs you in as administrator, once, within {LINK_MINUTES} minutes:")
    out.print(link)


@contextmanager
def _everybody(config: Path) -> "Iterator[Everybody]":
    from hilum.config import load
    from hilum.people.everybody import Everybody

    site = load(config)
    with closing(Everybody(site.data, site.console)) as everybody:
        yield everybody


def _password(file: Path | None) -> str:
    """The password of the file, or the one that a person types twice."""
    from hilum.privacy import secret_in

    if file:
        return secret_in(file)
    given = typer.prompt("Password", hide_input=True, err=True)
    if typer.prompt("Once more", hide_input=True, err=True) != given:
        raise HilumError("the two passwords differ; nothing was changed")
    return str(given)


put_on_record(people, "add", "remove", "disable", "role", "password")
put_on_record(tokens, "add", "remove")
put_on_record(app, "console")
