import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.clients.authenticator import Authenticator, Presented, open_authenticator, require, require_model
from app.clients.identity import LOCAL, Client, Scope
from app.clients.keys import KeyedClient, Keys, NewKey
from app.clients.tokens import Tokens
from app.errors import ForbiddenError, StoreUnavailableError, UnauthenticatedError
from app.settings import IssuerSettings, Settings, SettingsError
from app.store.clients import ClientStore, TokenUses
from app.store.database import Database
from tests.unit.clients.provider import ISSUER, JWKS, NOW, Clock, Provider, jwk, token

ISSUERS = (IssuerSettings(issuer=ISSUER, audience=("app",), jwks_url=JWKS),)
APPS = "https://firebaseappcheck.googleapis.com/42"
APP_CHECK = IssuerSettings(issuer=APPS, audience=("projects/42",), jwks_url=JWKS, algorithms=("RS256",))


class Gate:
    """An authenticator, its clocks, its provider, and the looks that it took into the database."""

    def __init__(self, database: Database, **chosen: Any) -> None:
        self.clock = Clock()
        self.provider = Provider(jwk("rsa"))
        self.looks = 0
        gate = self

        class Counted(ClientStore):
            async def find_key(self, key_id: str) -> Any:
                gate.looks += 1
                return await super().find_key(key_id)

        self.keys = Keys(Counted(database))
        self.tokens = Tokens(b"s" * 32)
        self.authenticator = Authenticator(
            Settings(_env_file=None, **chosen),
            keys=self.keys,
            tokens=self.tokens,
            uses=TokenUses(database),
            fetch=self.provider.fetch,
            clock=self.clock,
            monotonic=self.clock,
        )

    async def client(self, bearer: str | None = None, *api_keys: str, **more: Any) -> Client:
        presented = Presented(bearer, api_keys, **more)
        return self.authenticator.recalled(presented) or await self.authenticator.authenticate(presented)

    async def refusal(self, bearer: str | None = None, *api_keys: str, **more: Any) -> UnauthenticatedError:
        with pytest.raises(UnauthenticatedError) as caught:
            await self.client(bearer, *api_keys, **more)
        return caught.value

    async def new_key(self, name: str = "web", **more: Any) -> NewKey:
        return await self.keys.create(name, now=self.clock.now, **more)

    def token(self, key: NewKey, **more: Any) -> str:
        return self.tokens.mint(key.client, now=self.clock.now, **{"ttl_s": 900, "user": "u", **more})[0]


@pytest.fixture
def gate(database: Database) -> Gate:
    return Gate(database)


@pytest.fixture
def both(database: Database) -> Gate:
    return Gate(database, client_auth="keys,jwt", jwt_issuers=ISSUERS)


async def test_a_key_is_taken_wherever_a_client_puts_it(gate: Gate) -> None:
    key = await gate.new_key()

    assert await gate.client(key.text) == key.client
    assert await gate.client(None, key.text) == key.client
    assert await gate.client("", "", key.text) == key.client


async def test_the_same_credential_in_two_places_is_one(gate: Gate) -> None:
    key = await gate.new_key()

    assert await gate.client(key.text, key.text, key.text) == key.client


async def test_two_different_credentials_are_refused_even_if_both_are_good(gate: Gate) -> None:
    one, other = await gate.new_key("one"), await gate.new_key("other")

    for presented in ((one.text, other.text), (one.text, "AIzaSy"), (None, one.text, other.text)):
        assert "different credentials" in (await gate.refusal(*presented)).detail


@pytest.mark.parametrize("presented", [(None,), ("",), (None, ""), ("", "", "")])
async def test_a_call_without_a_credential_is_told_where_to_put_one(gate: Gate, presented: tuple[str]) -> None:
    error = await gate.refusal(*presented)

    assert error.status == 401
    assert "Authorization: Bearer" in error.detail
    assert error.headers == {"WWW-Authenticate": "Bearer"}


async def test_a_bad_credential_is_said_to_be_one(gate: Gate) -> None:
    key = await gate.new_key()

    for bad in (key.text[:-1], "AIzaSy-of-gemini", "gg_", "ggt_", "ggt_e30.AAAA", token()):
        assert (await gate.refusal(bad)).headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}


async def test_a_known_key_costs_no_look_into_the_database_for_ten_seconds(gate: Gate) -> None:
    key = await gate.new_key()

    for _ in range(100):
        await gate.client(key.text)
        gate.clock.now += 0.09
    before = gate.looks
    gate.clock.now = NOW + 10
    await gate.client(key.text)

    assert (before, gate.looks) == (1, 2)


async def test_of_many_calls_at_once_one_looks_for_all(gate: Gate) -> None:
    key = await gate.new_key()
    wrong = key.text[:-2] + ("aa" if key.text[-2:] != "aa" else "bb")

    clients = await asyncio.gather(*(gate.client(key.text) for _ in range(20)))
    refused = await asyncio.gather(*(gate.client(wrong) for _ in range(20)), return_exceptions=True)

    assert {client.name for client in clients} == {"web"}
    assert {type(each) for each in refused} == {UnauthenticatedError}
    assert gate.looks == 2


async def test_a_cancelled_call_does_not_end_the_look_up_of_other_calls(gate: Gate) -> None:
    key = await gate.new_key()
    calls = [asyncio.ensure_future(gate.client(key.text)) for _ in range(3)]
    await asyncio.sleep(0)
    calls[0].cancel()
    ended = await asyncio.gather(*calls, return_exceptions=True)

    assert isinstance(ended[0], asyncio.CancelledError)
    assert [each.name for each in ended[1:] if isinstance(each, Client)] == ["web", "web"]


async def test_a_revoked_key_lives_ten_seconds_at_most(gate: Gate) -> None:
    key = await gate.new_key()
    await gate.client(key.text)
    await gate.keys.revoke("web", now=NOW)

    gate.clock.now += 9.9
    assert await gate.client(key.text) == key.client
    gate.clock.now += 0.1
    assert "revoked" in (await gate.refusal(key.text)).detail


async def test_the_ten_seconds_begin_when_the_database_is_asked_not_when_it_answers(database: Database) -> None:
    gate = Gate(database)
    key = await gate.new_key()
    slow = gate.keys.check

    async def check(text: str, *, now: float) -> Any:
        found = await slow(text, now=now)
        gate.clock.now += 7
        return found

    gate.keys.check = check  # type: ignore[method-assign]  # a database that takes its time
    await gate.client(key.text)
    await gate.keys.revoke("web", now=NOW)
    gate.clock.now += 3

    await gate.refusal(key.text)


async def test_a_known_key_still_ends_at_its_expiry(gate: Gate) -> None:
    key = await gate.new_key(expires_in_s=5)
    await gate.client(key.text)

    gate.clock.now += 5

    assert "expired" in (await gate.refusal(key.text)).detail


async def test_a_bad_key_is_not_remembered(gate: Gate) -> None:
    await gate.refusal("gg_" + "a" * 12 + "_" + "A" * 43)
    await gate.refusal("gg_" + "a" * 12 + "_" + "A" * 43)

    assert gate.looks == 2


async def test_with_the_database_away_known_keys_work_for_ten_seconds(gate: Gate, tmp_path: Path) -> None:
    known, unknown = await gate.new_key("known"), await gate.new_key("unknown")
    await gate.client(known.text)
    with sqlite3.connect(tmp_path / "gateway.db") as connection:
        connection.execute("ALTER TABLE client_keys RENAME TO gone")
    connection.close()

    gate.clock.now += 9.9
    assert await gate.client(known.text) == known.client
    with pytest.raises(StoreUnavailableError):
        await gate.client(unknown.text)
    gate.clock.now += 0.1
    with pytest.raises(StoreUnavailableError):
        await gate.client(known.text)


async def test_no_more_is_remembered_than_there_is_room_for(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.clients.authenticator.MAX_REMEMBERED", 2)
    keys = [await gate.new_key(name) for name in ("one", "two", "three")]
    for key in keys:
        await gate.client(key.text)

    await gate.client(keys[2].text)
    await gate.client(keys[1].text)
    assert gate.looks == 3
    await gate.client(keys[0].text)
    assert gate.looks == 4


async def test_a_token_acts_as_its_user(gate: Gate) -> None:
    key = await gate.new_key()

    client = await gate.client(gate.token(key, user="u_123", scopes=[Scope.FILES]))

    assert client.id == f"{key.client.id}/u_123"
    assert client.scopes == {Scope.FILES}
    assert not isinstance(client, KeyedClient)
    assert client.issuer == key.client.id


async def test_a_token_ends_at_its_time_also_while_it_is_remembered(gate: Gate) -> None:
    short = gate.token(await gate.new_key(), ttl_s=5)
    await gate.client(short)

    gate.clock.now += 5

    assert "expired" in (await gate.refusal(short)).detail


async def test_a_token_dies_with_its_key(gate: Gate) -> None:
    old = await gate.new_key()
    text = gate.token(old, ttl_s=3_600)
    new = await gate.keys.rotate("web", now=NOW, overlap_s=60)
    newer = gate.token(new, ttl_s=3_600)
    await gate.client(text)

    gate.clock.now += 60

    assert "The key has expired" in (await gate.refusal(text)).detail
    assert (await gate.client(newer)).id == f"{old.client.id}/u"
    await gate.keys.revoke("web", now=NOW)
    gate.clock.now += 10
    assert "revoked" in (await gate.refusal(newer)).detail


async def test_a_token_dies_with_its_key_also_while_it_is_remembered(gate: Gate) -> None:
    key = await gate.new_key(expires_in_s=5)
    text = gate.token(key)
    await gate.client(text)

    gate.clock.now += 5

    await gate.refusal(text)


async def test_a_tokens_requests_are_counted_for_all_replicas_together(database: Database) -> None:
    one, other = Gate(database), Gate(database)
    text = one.token(await one.new_key(), max_requests=5)

    async def call(number: int) -> bool:
        try:
            await (one if number % 2 else other).client(text)
        except UnauthenticatedError:
            return False
        return True

    assert sum(await asyncio.gather(*(call(number) for number in range(16)))) == 5
    assert "5 requests are used up" in (await one.refusal(text)).detail


async def test_the_counts_of_expired_tokens_are_forgotten(gate: Gate, tmp_path: Path) -> None:
    key = await gate.new_key()
    await gate.client(gate.token(key, max_requests=5, ttl_s=10))
    await gate.client(gate.token(key, max_requests=5, ttl_s=100))

    await gate.authenticator.forget_expired_tokens(gate.clock.now + 11)

    with sqlite3.connect(tmp_path / "gateway.db") as connection:
        assert connection.execute("SELECT count(*) FROM token_uses").fetchone() == (1,)
    connection.close()


async def test_a_refused_page_uses_up_no_request(gate: Gate) -> None:
    key = await gate.new_key(origins={"https://app.example"})
    text = gate.token(key, max_requests=1)

    with pytest.raises(ForbiddenError):
        await gate.client(text, origin="https://evil.example")

    assert (await gate.client(text, origin="https://app.example")).name == "web/u"
    await gate.refusal(text, origin="https://app.example")


async def test_a_users_jwt_and_a_key_are_taken_side_by_side(both: Gate) -> None:
    key = await both.new_key()

    assert (await both.client(token())).issuer == ISSUER
    assert await both.client(key.text) == key.client
    assert (await both.client(both.token(key))).name == "web/u"


async def test_a_jwt_is_verified_once_in_ten_seconds_and_ends_at_its_time(both: Gate) -> None:
    text = token(exp=int(NOW) - 55)
    await both.client(text)
    both.clock.now += 4.9
    await both.client(text)

    both.clock.now += 0.1

    assert "expired" in (await both.refusal(text)).detail


async def test_unasked_objects_are_left_out(database: Database) -> None:
    only_keys, only_jwt = Gate(database), Gate(database, client_auth="jwt", jwt_issuers=ISSUERS)
    key = await only_jwt.new_key()

    await only_keys.refusal(token())
    await only_jwt.refusal(key.text)
    await only_jwt.refusal(only_jwt.token(key))
    assert only_jwt.looks == 0


async def test_an_open_gateway_has_one_client_and_looks_at_no_credential(database: Database) -> None:
    gate = Gate(database, client_auth="none")

    assert await gate.client() is LOCAL
    assert await gate.client("anything", "else") is LOCAL


async def test_with_app_check_every_call_needs_both(database: Database) -> None:
    gate = Gate(database, app_check=APP_CHECK)
    key = await gate.new_key()
    app = token(iss=APPS, aud=["projects/42", "projects/name"], sub="1:42:web:abc")

    assert await gate.client(key.text, app_check=app) == key.client
    for without in (None, "", key.text, token(), token(iss=APPS), token(iss=APPS, aud="projects/42", exp=1)):
        assert "X-Firebase-AppCheck" in (await gate.refusal(key.text, app_check=without)).detail
    assert "credential is needed" in (await gate.refusal(app_check=app)).detail
    await gate.refusal(app, app_check=app)


async def test_an_app_check_token_ends_at_its_time(database: Database) -> None:
    gate = Gate(database, app_check=APP_CHECK)
    key = await gate.new_key()
    app = token(iss=APPS, aud="projects/42", exp=int(NOW) - 55)
    await gate.client(key.text, app_check=app)

    gate.clock.now += 5

    assert "expired" in (await gate.refusal(key.text, app_check=app)).detail


async def test_an_open_gateway_may_ask_for_the_app_alone(database: Database) -> None:
    gate = Gate(database, client_auth="none", app_check=APP_CHECK)

    assert await gate.client(app_check=token(iss=APPS, aud="projects/42")) is LOCAL
    assert "X-Firebase-AppCheck" in (await gate.refusal()).detail


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "https://app.example:444", "https://APP.example"]
)
async def test_a_page_of_another_origin_may_not_use_the_key(gate: Gate, origin: str) -> None:
    key = await gate.new_key(origins={"https://app.example"})

    with pytest.raises(ForbiddenError) as caught:
        await gate.client(key.text, origin=origin)

    assert (caught.value.status, caught.value.code) == (403, "forbidden")


async def test_a_page_key_is_for_its_pages_and_for_calls_without_an_origin(gate: Gate) -> None:
    bound, free = await gate.new_key(origins={"https://app.example"}), await gate.new_key("free")

    assert await gate.client(bound.text, origin="https://app.example") == bound.client
    assert await gate.client(bound.text) == bound.client
    assert await gate.client(free.text, origin="https://any.example") == free.client


def test_a_scope_is_there_or_missed_by_name() -> None:
    client = Client(id="c", name="c", scopes=frozenset({Scope.FILES}))

    require(client, Scope.FILES)
    with pytest.raises(ForbiddenError, match="needs the scope generate; the client's scopes: files"):
        require(client, Scope.GENERATE)


def test_a_model_is_one_of_the_clients() -> None:
    client = Client(id="c", name="c", models=frozenset({"gemini-3.8-flash"}))

    require_model(client, "gemini-3.8-flash")
    require_model(client, "models/gemini-3.8-flash")
    require_model(LOCAL, "any")
    with pytest.raises(ForbiddenError, match=r"gemini-3.8-pro; it may use: gemini-3.8-flash"):
        require_model(client, "gemini-3.8-pro")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
async def test_any_credential_is_refused_without_another_error(both: Gate, text: str) -> None:
    await both.refusal(text)


async def test_the_gateways_authenticator_knows_the_keys_of_its_store(database: Database, tmp_path: Path) -> None:
    chosen = Settings(_env_file=None, database_url=f"sqlite+aiosqlite:///{tmp_path}/gateway.db")
    authenticator, replica = (open_authenticator(chosen, database, Provider().fetch) for _ in range(2))
    key = await authenticator.keys.create("web", now=0)

    client = await authenticator.authenticate(Presented(key.text))
    text, _ = authenticator.tokens.mint(client, now=4e9, ttl_s=60, user="u")

    assert client == key.client
    assert (await replica.authenticate(Presented(text))).name == "web/u"


async def test_an_issuer_with_wrong_words_stops_the_start(database: Database) -> None:
    wrong = IssuerSettings(issuer=ISSUER, audience=("app",), scopes=("all",))

    with pytest.raises(SettingsError, match=r"^JWT_ISSUERS: all is not a scope"):
        Gate(database, client_auth="jwt", jwt_issuers=(wrong,))
    with pytest.raises(SettingsError, match=r"^APP_CHECK: all is not a scope"):
        Gate(database, app_check=wrong)


async def test_a_credential_is_looked_up_again_although_it_is_remembered(both: Gate) -> None:
    key = await both.new_key()
    presented, jwt = Presented(key.text), Presented(token(exp=int(NOW) + 100))
    await both.authenticator.authenticate(presented)
    await both.authenticator.authenticate(jwt)

    await both.keys.update("web", scopes={Scope.NATIVE})
    assert (await both.authenticator.authenticate_again(presented)).scopes == {Scope.NATIVE}
    await both.keys.revoke("web", now=both.clock.now)
    with pytest.raises(UnauthenticatedError):
        await both.authenticator.authenticate_again(presented)
    both.clock.now += 200
    with pytest.raises(UnauthenticatedError):
        await both.authenticator.authenticate_again(jwt)


async def test_another_look_at_a_token_counts_no_use(gate: Gate) -> None:
    presented = Presented(gate.token(await gate.new_key(), max_requests=1))
    await gate.authenticator.authenticate(presented)

    for _ in range(3):
        assert (await gate.authenticator.authenticate_again(presented)).name == "web/u"


async def test_the_local_client_is_found_again_in_an_open_gateway(database: Database) -> None:
    assert await Gate(database, client_auth="none").authenticator.authenticate_again(Presented()) == LOCAL
