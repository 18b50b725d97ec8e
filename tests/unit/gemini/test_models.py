from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from app.gemini.answer import Usage
from app.gemini.control import open_control
from app.gemini.credentials import ApiKey
from app.gemini.models import MEDIA, ModelFacts, Models, ModelTable, Price, read_table
from app.gemini.upstream import open_upstream
from app.settings import Settings, SettingsError

TODAY = date(2026, 11, 24)


def settings(**chosen: object) -> Settings:
    return Settings.model_validate({"_env_file": None, "gemini_base_url": "http://127.0.0.1:9", **chosen})


Make = Callable[[Settings], Models]


@pytest.fixture(scope="module")
async def make() -> AsyncIterator[Make]:
    async with open_upstream(settings(), ApiKey("k")) as upstream, open_control(upstream) as control:
        yield lambda chosen: Models(upstream, control, chosen)


def usage(input_tokens: int = 0, output: int = 0, thinking: int = 0, cached: int = 0, audio: int = 0) -> Usage:
    return Usage(input_tokens, output, thinking, cached, input_tokens + output + thinking, {"audio": audio})


def cost(used: Usage, *prices: Price, on: date = TODAY) -> float | None:
    return ModelFacts(prices=prices).cost(used, on=on)


def test_thinking_costs_as_output_does() -> None:
    assert cost(usage(1_000_000, output=200_000, thinking=300_000), Price(input=1, output=10)) == pytest.approx(6)


@pytest.mark.parametrize(
    ("on", "dollars"),
    [
        (date(2026, 11, 1), 1.0),
        (date(2026, 12, 31), 1.0),
        (date(2027, 1, 1), 2.0),
        (date(2027, 6, 30), 2.0),
        (date(2027, 7, 1), 3.0),
    ],
)
def test_a_price_holds_until_its_date_inclusive(on: date, dollars: float) -> None:
    prices = (
        Price(until=date(2026, 12, 31), input=1, output=0),
        Price(until=date(2027, 6, 30), input=2, output=0),
        Price(input=3, output=0),
    )

    assert cost(usage(1_000_000), *prices, on=on) == pytest.approx(dollars)


def test_a_price_that_has_ended_without_another_is_unknown() -> None:
    assert cost(usage(5), Price(until=date(2026, 1, 1), input=1, output=1)) is None


@pytest.mark.parametrize(("tokens", "dollars"), [(200_000, 0.2 + 1), (200_001, 0.400002 + 3)])
def test_a_long_prompt_costs_more_in_and_out(tokens: int, dollars: float) -> None:
    price = Price(input=1, output=10, input_long=2, output_long=30)

    assert cost(usage(tokens, output=100_000), price) == pytest.approx(dollars)


def test_a_long_prompt_costs_the_same_where_no_other_price_is_given() -> None:
    assert cost(usage(1_000_000, output=100_000), Price(input=1, output=10)) == pytest.approx(2)


@pytest.mark.parametrize(("cached_price", "dollars"), [(0.1, 0.6 + 0.04), (None, 1.0)])
def test_cached_tokens_have_a_price_of_their_own(cached_price: float | None, dollars: float) -> None:
    price = Price(input=1, output=0, cached=cached_price)

    assert cost(usage(1_000_000, cached=400_000), price) == pytest.approx(dollars)


def test_sound_has_a_price_of_its_own() -> None:
    price = Price(input=1, output=0, input_audio=3)

    assert cost(usage(1_000_000, audio=250_000), price) == pytest.approx(0.75 + 0.75)


@pytest.mark.parametrize(
    ("tier", "dollars"), [("standard", 1.0), ("flex", 0.5), ("priority", 1.8), ("deferred", 1.0), ("", 1.0)]
)
def test_a_service_tier_has_a_price_of_its_own_and_else_the_standard_one(tier: str, dollars: float) -> None:
    facts = ModelFacts(
        prices=(
            Price(tier="flex", input=0.5, output=0),
            Price(input=1, output=0),
            Price(tier="priority", input=1.8, output=0),
        )
    )

    assert facts.cost(usage(1_000_000), on=TODAY, tier=tier) == pytest.approx(dollars)


def test_a_tiers_price_that_has_ended_is_followed_by_its_next_one_and_by_the_standard_one_last() -> None:
    facts = ModelFacts(
        prices=(
            Price(until=date(2026, 12, 31), tier="flex", input=1, output=0),
            Price(until=date(2027, 6, 30), tier="flex", input=2, output=0),
            Price(input=3, output=0),
        )
    )

    days = (date(2026, 12, 31), date(2027, 1, 1), date(2027, 7, 1))
    assert [facts.cost(usage(1_000_000), on=day, tier="flex") for day in days] == pytest.approx([1, 2, 3])


@pytest.mark.parametrize("used", [usage(10, cached=500), usage(10, audio=500), usage(0, cached=7, audio=9), usage()])
def test_counts_that_contradict_each_other_never_give_money_back(used: Usage) -> None:
    dollars = cost(used, Price(input=1, output=1, cached=0.1, input_audio=0.5))

    assert dollars is not None
    assert dollars >= 0


def test_the_shipped_table_has_the_default_models_facts() -> None:
    facts = read_table(None).of(settings().gemini_default_model)

    assert facts.accepts == MEDIA
    assert set(facts.ignores) == {"temperature", "top_p", "top_k"}
    million = usage(1_000_000, output=1_000_000)
    assert facts.cost(million, on=date(2026, 12, 31)) == pytest.approx(4.5)
    assert facts.cost(million, on=date(2027, 1, 1)) == pytest.approx(9)


def test_every_alias_that_is_shipped_leads_to_a_model_of_the_table_with_a_price() -> None:
    table = read_table(None)

    assert [name for name in settings().model_aliases.values() if table.of(name).cost(usage(1), on=TODAY) is None] == []


def test_an_unknown_model_takes_everything_costs_an_unknown_amount_and_ignores_nothing() -> None:
    facts = ModelTable(models={}).of("gemini-9")

    assert (facts.accepts, facts.ignores, facts.cost(usage(5), on=TODAY)) == (MEDIA, (), None)


async def test_a_model_is_found_by_its_name_with_or_without_prefix_and_by_its_alias(make: Make) -> None:
    models = make(settings(model_aliases={"old": "new"}, gemini_default_model="best"))

    assert models.resolve(None) == "best"
    assert models.resolve("") == "best"
    assert models.resolve("best") == models.resolve("models/best") == "best"
    assert models.resolve("old") == models.resolve("models/old") == "new"
    assert models.resolve("unheard-of") == "unheard-of"


async def test_an_alias_holds_for_the_default_too_and_may_name_the_model_in_full(make: Make) -> None:
    models = make(settings(model_aliases={"best": "models/better"}, gemini_default_model="models/best"))

    assert models.resolve(None) == "better"


async def test_the_samples_of_old_guides_still_run(make: Make) -> None:
    models = make(settings())

    assert models.resolve("gemini-2.0-flash") == "gemini-3.5-flash-lite"
    assert models.resolve("models/gemini-2.5-pro") == "gemini-3.8-flash"


async def test_the_aliases_can_be_emptied(make: Make) -> None:
    assert make(settings(model_aliases={})).resolve("gemini-2.0-flash") == "gemini-2.0-flash"


async def test_a_cost_is_that_of_the_day_on_geminis_clock(make: Make, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    table = f'{{"models": {{"m": {{"prices": [{{"until": "{today}", "input": 7, "output": 0}}]}}}}}}'
    (tmp_path / "models.json").write_text(table)

    models = make(settings(models_file=tmp_path / "models.json"))

    assert models.cost("m", usage(1_000_000)) == pytest.approx(7)
    assert models.cost("n", usage(1_000_000)) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[]", "object"),
        ("{}", "models: "),
        ('{"models": {"m": {"price": []}}}', "models.m.price: "),
        ('{"models": {"m": {"prices": [{"input": "cheap", "output": 1}]}}}', "models.m.prices.0.input: "),
        ('{"models": {"m": {"prices": [{"input": 1, "output": -1}]}}}', "models.m.prices.0.output: "),
        ('{"models": {"m": {"accepts": ["smell"]}}}', "models.m.accepts.0: "),
    ],
)
def test_a_wrong_models_file_stops_the_start_with_one_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "models.json"
    file.write_text(text)

    with pytest.raises(SettingsError) as caught:
        read_table(file)

    line = str(caught.value)
    assert line.startswith("MODELS_FILE: ")
    assert words in line
    assert "\n" not in line
    assert ": :" not in line


def test_a_models_file_that_is_not_there_stops_the_start_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^MODELS_FILE: cannot be read: No such file or directory$"):
        read_table(tmp_path / "none.json")


def test_no_shipped_model_lacks_a_price_on_any_day() -> None:
    days = (date(2026, 11, 30), date(2026, 12, 1), date(2027, 1, 1), date(2030, 1, 1))

    table = read_table(None).models

    assert [name for name, facts in table.items() for day in days if facts.cost(usage(1), on=day) is None] == []


@pytest.mark.parametrize(
    ("model", "tier", "on", "dollars"),
    [
        ("gemini-4-argon", "standard", date(2026, 11, 30), 2 + 10),
        ("gemini-4-argon", "standard", date(2026, 12, 1), 4 + 20),
        ("gemini-3.8-flash", "priority", date(2026, 12, 31), 1.35 + 6.75),
        ("gemini-3.8-flash", "flex", date(2027, 1, 1), 0.75 + 3.75),
        ("gemini-2.5-flash-lite", "standard", date(2026, 12, 1), 0.1 + 0.4),
        ("gemini-3.1-pro-preview", "standard", date(2026, 12, 1), 4 + 18),
        ("gemini-3.1-pro-preview", "batch", date(2026, 12, 1), 2 + 9),
    ],
)
def test_the_shipped_prices_of_days_and_tiers(model: str, tier: str, on: date, dollars: float) -> None:
    million = usage(1_000_000, output=1_000_000)

    assert read_table(None).of(model).cost(million, on=on, tier=tier) == pytest.approx(dollars)


def test_image_sound_and_video_have_prices_of_their_own() -> None:
    used = Usage(1_000_000, input_by_modality={"image": 100_000, "audio": 200_000, "video": 300_000})

    found = read_table(None).of("gemini-embedding-2").cost(used, on=TODAY)

    assert found == pytest.approx(0.045 + 1.3 + 3.6 + 0.08)


def test_no_alias_is_shipped_for_a_living_model() -> None:
    assert "gemini-2.5-flash-lite" not in settings().model_aliases
