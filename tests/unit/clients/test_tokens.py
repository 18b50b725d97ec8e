from base64 import urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clients.identity import Client, Limits, Scope
from app.clients.keys import KeyedClient
from app.clients.tokens import Claims, Tokens
from app.errors import ForbiddenError, InvalidFieldError, UnauthenticatedError

NOW = 1_000_000.0
KEYED = KeyedClient(
    id="cli_1",
    name="web",
    scopes=frozenset({Scope.GENERATE, Scope.FILES}),
    models=frozenset({"m"}),
    origins=frozenset({"https://app.example"}),
    limits=Limits(requests_per_minute=60),
    key_id="k" * 12,
)
TOKENS = Tokens(b"s" * 32)


def minted(ttl_s: int = 900, user: str = "u_123", **more: object) -> str:
    return TOKENS.mint(KEYED, now=NOW, ttl_s=ttl_s, user=user, **more)[0]  # type: ignore[arg-type]


def refusal(token: str, *, now: float = NOW) -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        TOKENS.read(token, now=now)
    return caught.value.detail


def test_a_written_token_is_read_back_equal() -> None:
    token, claims = TOKENS.mint(KEYED, now=NOW + 0.7, ttl_s=900, user="u_123", scopes={Scope.GENERATE}, max_requests=50)

    assert TOKENS.read(token, now=NOW) == claims
    assert claims == Claims(
        id=claims.id,
        key_id="k" * 12,
        user="u_123",
        scopes=frozenset({Scope.GENERATE}),
        expires_at=1_000_900,
        max_requests=50,
    )


def test_a_token_has_its_own_prefix_and_fits_into_a_header() -> None:
    token = minted(user="žluťoučký kůň")

    assert token.startswith("ggt_")
    assert token.isascii()
    assert not set(token) & set(" ,;=\"'")


def test_two_tokens_of_one_user_are_counted_apart() -> None:
    assert TOKENS.read(minted(), now=NOW).id != TOKENS.read(minted(), now=NOW).id


def test_a_token_acts_as_a_client_of_its_own_with_the_rights_and_limits_of_its_keys() -> None:
    claims = TOKENS.read(minted(scopes=[Scope.GENERATE]), now=NOW)

    assert claims.client(KEYED) == Client(
        id="cli_1/u_123",
        name="web/u_123",
        scopes=frozenset({Scope.GENERATE}),
        models=KEYED.models,
        origins=KEYED.origins,
        limits=KEYED.limits,
        issuer="cli_1",
    )


def test_a_token_loses_the_scopes_that_its_client_loses() -> None:
    claims = TOKENS.read(minted(), now=NOW)
    less = KeyedClient(id="cli_1", name="web", scopes=frozenset({Scope.FILES}), key_id="k" * 12)

    assert claims.client(less).scopes == {Scope.FILES}


@given(user=st.text(min_size=1, max_size=128).filter(str.isprintable))
def test_the_longest_user_still_makes_an_owner_of_255_characters(user: str) -> None:
    client = TOKENS.read(minted(user=user), now=NOW).client(KEYED)

    assert client.id == f"cli_1/{user}"
    assert len(f"cli_{'0' * 20}/{user}") <= 255


def test_without_scopes_a_token_has_those_of_its_client() -> None:
    assert TOKENS.read(minted(), now=NOW).scopes == KEYED.scopes
    assert TOKENS.read(minted(scopes=[]), now=NOW).scopes == frozenset()


def test_a_token_ends_at_its_time() -> None:
    token = minted(ttl_s=1)

    assert TOKENS.read(token, now=NOW + 0.9).expires_at == NOW + 1
    assert "expired" in refusal(token, now=NOW + 1)


def test_a_token_grants_no_more_rights_than_its_client_has() -> None:
    with pytest.raises(ForbiddenError, match="no scope metrics, tasks"):
        minted(scopes=[Scope.TASKS, Scope.METRICS, Scope.FILES])


def test_a_token_makes_no_tokens() -> None:
    user = TOKENS.read(minted(), now=NOW).client(KEYED)

    with pytest.raises(ForbiddenError):
        TOKENS.mint(user, now=NOW, ttl_s=60, user="u")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ttl_s", 0),
        ("ttl_s", -5),
        ("ttl_s", 3_601),
        ("user", ""),
        ("user", "a" * 129),
        ("user", "a\x00b"),
        ("user", "a\nb"),
        ("user", "\ud800"),
        ("max_requests", 0),
        ("max_requests", 1_000_001),
    ],
)
def test_a_field_that_is_not_allowed_is_named(field: str, value: object) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        minted(**{field: value})  # type: ignore[arg-type]

    assert caught.value.errors[0].field == field


def test_a_token_of_another_secret_is_not_taken() -> None:
    other, _ = Tokens(b"o" * 32).mint(KEYED, now=NOW, ttl_s=900, user="u_123")

    assert "not a token of this gateway" in refusal(other)


def test_no_character_of_a_token_may_change() -> None:
    token = minted()
    changed = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(4, len(token))]
    # The last character of 43 carries two bits that mean nothing; they must not be free to choose all the same.
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".replace(token[-1], "")

    for text in [*changed, *(token[:-1] + character for character in last), token + "=", token + ".", token[:-1]]:
        refusal(text)


@given(st.text() | st.text().map("ggt_".__add__) | st.builds("ggt_{}.{}".format, st.text(), st.text()))
def test_any_bytes_are_refused_without_another_error(text: str) -> None:
    assert "not a token of this gateway" in refusal(text)


def test_a_tokens_payload_holds_no_secret() -> None:
    payload = minted().removeprefix("ggt_").split(".")[0]

    assert b"gg_" not in urlsafe_b64decode(payload + "==")
