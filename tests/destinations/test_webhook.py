"""Results to a program by HTTP: signed as others check it, repeated with the same id, TLS.

The signatures are checked by the library of Standard Webhooks, over the bytes that came.
"""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from hilum.answers import Acceptance, Answer
from hilum.config import parse
from hilum.destinations import checks_of
from hilum.destinations.webhook import WebhookDestination, WebhookDestinationSettings
from hilum.dicom.uids import derived_uid
from hilum.errors import ConfigurationError, DeliveryDelayed, DeliveryRefused
from hilum.inbox.heard import file_of
from hilum.records.states import DeliveryState
from hilum.results import JSON, Result
from tests.certificates import SelfSigned
from tests.core.test_outbox import Desk
from tests.notifiers.servers import Hook, web_hook
from tests.patience import PATIENCE

OLD, NEW = (f"whsec_{base64.b64encode(letter * 32).decode()}" for letter in (b"a", b"b"))


@pytest.fixture
def hook() -> Iterator[Hook]:
    with web_hook() as running:
        yield running


def settings(folder: Path, url: str, *secrets: str, **more: Any) -> WebhookDestinationSettings:
    files = []
    for number, secret in enumerate(secrets or (OLD,)):
        file = folder / f"{number}.secret"
        file.touch(0o600)
        file.write_text(f"{secret}\n")
        files.append(str(file))
    given = {"name": "lake", "kind": "webhook", "url": url, "timeout_seconds": PATIENCE} | more
    [made] = parse({"destination": [{**given, "secret_files": files}]}).destination
    assert isinstance(made, WebhookDestinationSettings)
    return made


def message(folder: Path, name: str) -> Result:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_bytes(json.dumps({"type": "result.made", "name": name}).encode())
    return Result("json", JSON, derived_uid("test", name), path, "1.2", "w-1")


def test_others_verify_what_came_and_a_repeat_has_the_same_id(hook: Hook, tmp_path: Path) -> None:
    place, sent = WebhookDestination(settings(tmp_path, hook.url)), message(tmp_path, "a")
    for _ in range(2):
        assert list(place.send([sent])) == [Answer(sent, Acceptance.TAKEN)]
    for headers, body in hook.posts:
        assert body == sent.path.read_bytes()
        assert standardwebhooks.Webhook(OLD).verify(body, headers)["name"] == "a"
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(NEW).verify(body, headers)
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(OLD).verify(body + b" ", headers)
    assert {headers["webhook-id"] for headers, _ in hook.posts} == {sent.identity}
    assert place.filing("1.2") is None


def test_the_time_is_that_of_the_sending(hook: Hook, tmp_path: Path) -> None:
    sent, moments = message(tmp_path, "a"), iter([time.time() - 3600, time.time()])
    place = WebhookDestination(settings(tmp_path, hook.url), lambda: next(moments))
    for _ in range(2):
        list(place.send([sent]))
    (old, body), (new, _) = hook.posts
    with pytest.raises(standardwebhooks.WebhookVerificationError, match="too old"):
        standardwebhooks.Webhook(OLD).verify(body, old)
    assert standardwebhooks.Webhook(OLD).verify(body, new)


def test_while_keys_are_exchanged_the_old_one_and_the_new_one_fit(
    hook: Hook, tmp_path: Path
) -> None:
    list(WebhookDestination(settings(tmp_path, hook.url, OLD, NEW)).send([message(tmp_path, "a")]))
    [(headers, body)] = hook.posts
    for secret in (OLD, NEW):
        assert standardwebhooks.Webhook(secret).verify(body, headers)


@pytest.mark.parametrize(
    ("status", "acceptance", "error", "cure"),
    [
        (401, Acceptance.NEVER, DeliveryRefused, "give it the secret in secret_files"),
        (410, Acceptance.NEVER, DeliveryRefused, "it wants no more messages"),
        (422, Acceptance.NEVER, DeliveryRefused, "then `hilum release`"),
        (418, Acceptance.NEVER, DeliveryRefused, "look into its log"),
        (429, Acceptance.LATER, DeliveryDelayed, "HTTP 429"),
        (503, Acceptance.LATER, DeliveryDelayed, "HTTP 503"),
        (500, Acceptance.UNKNOWN, DeliveryDelayed, "HTTP 500"),
    ],
)
def test_each_answer_means_what_it_says(
    hook: Hook,
    tmp_path: Path,
    status: int,
    acceptance: Acceptance,
    error: type[Exception],
    cure: str,
) -> None:
    hook.status = status
    sending = WebhookDestination(settings(tmp_path, hook.url)).send(
        [message(tmp_path, name) for name in "ab"]
    )
    assert next(sending).acceptance is acceptance
    with pytest.raises(error, match=cure):
        next(sending)
    assert len(hook.posts) == 1, "none overtakes it"


@pytest.mark.parametrize(
    ("body", "is_page"),
    [
        (b"<!DOCTYPE html><title>Please log in</title>", True),
        (b"\n <HTML lang='en'>", True),
        (b"ok", False),
        (b'{"html": true}', False),
        (b"<p>ok</p>", False),
    ],
)
def test_a_login_page_is_no_acceptance(
    hook: Hook, tmp_path: Path, body: bytes, is_page: bool
) -> None:
    hook.status, hook.body = 200, body
    sent = message(tmp_path, "a")
    sending = WebhookDestination(settings(tmp_path, hook.url)).send([sent])
    assert next(sending).acceptance is (Acceptance.UNKNOWN if is_page else Acceptance.TAKEN)
    if is_page:
        with pytest.raises(DeliveryRefused, match="it answers with a web page"):
            next(sending)


def test_a_call_sends_no_message(hook: Hook, tmp_path: Path) -> None:
    there = settings(tmp_path, hook.url)
    assert WebhookDestination(there).is_reachable()
    assert [one.good for one in checks_of(there)] == [True] and not hook.posts


def test_one_that_is_down_is_tried_later(tmp_path: Path) -> None:
    with web_hook() as gone:
        pass
    there = settings(tmp_path, gone.url)
    assert not WebhookDestination(there).is_reachable()
    assert [one.good for one in checks_of(there)] == [False]
    with pytest.raises(DeliveryDelayed, match="cannot be reached"):
        list(WebhookDestination(there).send([message(tmp_path, "a")]))


def test_tls_and_its_faults(tmp_path: Path) -> None:
    ours, sent = SelfSigned.make(tmp_path), message(tmp_path, "a")
    with web_hook(ours) as hook:
        trusting = settings(tmp_path, hook.url, tls={"ca_file": str(ours.certificate)})
        [answer] = WebhookDestination(trusting).send([sent])
        assert answer.acceptance is Acceptance.TAKEN
        strange = settings(tmp_path, hook.url)
        assert [one.good for one in checks_of(strange)] == [False]
        with pytest.raises(DeliveryRefused, match="not trusted"):
            list(WebhookDestination(strange).send([sent]))


@pytest.mark.parametrize("secret", ["", "a password", "whsec_c2hvcnQ=", "whsec_!"])
def test_what_is_no_secret_is_refused_with_the_command_that_writes_one(
    tmp_path: Path, secret: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"destination lake: secret_files: .*urandom"):
        settings(tmp_path, "https://lake.hospital/hilum", secret).check()


def test_only_json_goes_there_and_no_secret_or_pseudonym_stands_in_the_variant(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigurationError, match="which kind 'webhook' does not take"):
        settings(tmp_path, "https://lake.hospital/hilum", objects=["sr"]).check()
    plain = settings(tmp_path, "https://lake.hospital/hilum")
    assert plain.wishes == {"identified": False}
    named = settings(tmp_path, "https://lake.hospital/hilum", identified=True)
    assert plain.variant != named.variant


# Through the outbox -------------------------------------------------------------------------------


class Lake(Desk):
    """An outbox that owes results to "lake"."""

    def owe_message(self, name: str) -> Result:
        result = message(self.folder / "results", name)
        self.owe_file(name, result)
        return result


@pytest.fixture
def lake(tmp_path: Path, hook: Hook) -> Iterator[Lake]:
    made = Lake(tmp_path, settings(tmp_path, hook.url))
    yield made
    made.records.close()


def test_broken_for_the_whole_run_and_well_again(lake: Lake, hook: Hook) -> None:
    hook.status = 503
    names = ("first", "second", "third")
    sent = [lake.owe_message(name) for name in names]
    for _ in range(3):
        lake.turn()
    assert {headers["webhook-id"] for headers, _ in hook.posts} == {sent[0].identity}
    hook.posts.clear()
    hook.status = 204
    while "delivering" in map(lake.state, names):
        lake.turn()
    assert [headers["webhook-id"] for headers, _ in hook.posts] == [one.identity for one in sent]
    assert lake.delivery("third").state is DeliveryState.ACCEPTED
    assert "not proven" in lake.records.workitems.one("third").reason


def test_what_is_refused_is_parked_and_the_cure_cures(lake: Lake, hook: Hook) -> None:
    hook.status = 401
    lake.owe_message("first")
    lake.turn()
    assert lake.delivery("first").state is DeliveryState.REFUSED
    assert "give it the secret in secret_files" in lake.delivery("first").reason
    assert not file_of(lake.folder, "1.2", "first", "lake").exists(), "it said nothing"
    hook.status = 200
    item = lake.records.workitems.one("first")
    assert lake.records.moves.release(item, ["lake"], "released", lake.now)
    lake.turn()
    assert lake.delivery("first").state is DeliveryState.ACCEPTED
