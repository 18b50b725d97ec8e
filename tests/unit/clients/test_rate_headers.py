from app.clients.rate_headers import Quota, rate_headers


def test_each_quota_is_an_item_of_both_fields() -> None:
    quotas = [
        Quota("requests", 60, 59, window_s=60, resets_in_s=41.2),
        Quota("concurrent-requests", 4, 3, unit="concurrent-requests"),
    ]

    assert rate_headers(quotas) == {
        "RateLimit-Policy": '"requests";q=60;w=60, "concurrent-requests";q=4;qu="concurrent-requests"',
        "RateLimit": '"requests";r=59;t=42, "concurrent-requests";r=3',
    }


def test_less_than_nothing_left_is_nothing() -> None:
    assert rate_headers([Quota("tokens", 5, -3)])["RateLimit"] == '"tokens";r=0'


def test_without_quotas_there_are_no_fields() -> None:
    assert rate_headers([]) == {}
