from app.clients.rate_headers import NO_QUOTAS, QuotaPolicies, QuotaPolicy, Quotas, rate_headers


def test_each_limit_is_an_item_of_both_fields() -> None:
    requests = QuotaPolicies([QuotaPolicy("requests", 60, window_s=60)])
    others = QuotaPolicies(
        [QuotaPolicy("concurrent-requests", 4, "concurrent-requests"), QuotaPolicy("tokens", 9, "tokens", 60)]
    )

    assert rate_headers(Quotas((requests, others), [59, 42, 3, 8, 5])) == {
        "RateLimit-Policy": '"requests";q=60;w=60, "concurrent-requests";q=4;qu="concurrent-requests", '
        '"tokens";q=9;qu="tokens";w=60',
        "RateLimit": '"requests";r=59;t=42, "concurrent-requests";r=3, "tokens";r=8;t=5',
    }


def test_without_quotas_there_are_no_fields() -> None:
    assert rate_headers(NO_QUOTAS) == {}
