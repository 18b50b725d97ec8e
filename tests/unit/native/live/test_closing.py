"""Closes of Live sessions: codes that may be sent, reasons that fit and hold nothing of the operator's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close

from app.errors import RateLimitedError, UpstreamFailedError
from app.gemini.masking import Masking
from app.gemini.refusals import KEY_REFUSED
from app.native.live.closing import MAX_REASON_BYTES, Closing, cut

KEY = "AIzaSyA-key-of-the-gateway"
MASKING = Masking(lambda: (KEY,))


@given(st.one_of(st.none(), st.integers(-1, 70_000)), st.one_of(st.none(), st.text()))
def test_every_close_of_a_side_can_be_sent_to_the_other(code: int | None, reason: str | None) -> None:
    closing = Closing.of(code, reason)

    assert 2 <= len(Close(closing.code, closing.reason).serialize()) <= 125


@pytest.mark.parametrize(("code", "sent"), [(None, 1000), (1005, 1000), (1006, 1011), (1015, 1011), (2000, 1011)])
def test_a_code_that_no_frame_may_carry_is_replaced(code: int | None, sent: int) -> None:
    assert Closing.of(code, None).code == sent


@pytest.mark.parametrize("code", [1000, 1001, 1007, 1008, 1011, 3000, 4321])
def test_any_other_code_is_kept(code: int) -> None:
    assert Closing.of(code, "why") == Closing(code, "why")


@given(st.text(max_size=300))
def test_a_reason_is_cut_at_a_whole_character(reason: str) -> None:
    short = cut(reason)

    assert len(short.encode()) <= MAX_REASON_BYTES
    assert reason.encode("utf-8", "replace").decode().startswith(short)


def test_a_long_reason_keeps_as_much_as_fits() -> None:
    assert cut("é" * 100) == "é" * 61


@pytest.mark.parametrize(
    "reason",
    [
        "API key not valid. Please pass a valid API key.",
        "API key expired. Please renew the API key.",
        "Your API key was reported as leaked. Please use another API key.",
        "Method doesn't allow unregistered callers (callers without established identity).",
        "Request had invalid authentication credentials. Expected OAuth 2 access token",
        "Generative Language API has not been used in project 123456789 before or it is disabled.",
        "[ORIGINAL ERROR] SERVICE_DISABLED",
        "User location is not supported for the API use.",
        "Requests from referer <empty> are blocked.",
    ],
)
def test_a_refusal_of_the_gateways_own_key_is_an_internal_error_with_a_neutral_reason(reason: str) -> None:
    for code in (1007, 1008, 1011):
        assert Closing.of_gemini(code, reason, MASKING) == Closing(1011, KEY_REFUSED)


@pytest.mark.parametrize(
    "reason",
    [
        "models/x is not found for API version v1beta, or is not supported for bidiGenerateContent.",
        "You exceeded your current quota, please check your plan and billing details.",
        "Request contains an invalid argument.",
        "Cannot extract voices from a non-audio request.",
    ],
)
def test_any_other_reason_is_geminis_own(reason: str) -> None:
    assert Closing.of_gemini(1008, reason, MASKING) == Closing(1008, cut(reason))


@pytest.mark.parametrize(
    ("reason", "masked"),
    [
        (f"refused for {KEY}!", "refused for ...!"),
        ("quota of projects/123456789 is spent", "quota of ... is spent"),
        ("ask someone@example.com", "ask ..."),
    ],
)
def test_a_reason_holds_no_key_no_project_and_no_address(reason: str, masked: str) -> None:
    assert Closing.of_gemini(1008, reason, MASKING).reason == masked


def test_a_secret_at_the_cut_is_masked_whole() -> None:
    reason = "x" * 110 + " " + KEY

    assert KEY[:8] not in Closing.of_gemini(1008, reason, MASKING).reason


def test_an_error_of_the_gateway_is_1011_and_one_of_the_client_1008() -> None:
    assert Closing.of_error(UpstreamFailedError("Broken.")) == Closing(1011, "Broken.")
    assert Closing.of_error(RateLimitedError("budget")) == Closing(1008, "budget")
