"""The models: Gemini's own list, cached for a while, and a table of abilities and prices.

The table (`models.json`, or MODELS_FILE) says what a model accepts, costs and ignores. A model that is not in it
accepts everything, costs an unknown amount and ignores nothing.
"""

import asyncio
import time
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from google import genai
from google.genai import types as sdk
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import UnknownModelError, UpstreamFailedError
from app.gemini.answer import Usage
from app.gemini.control import control_errors
from app.gemini.upstream import Upstream
from app.settings import Settings, SettingsError

Medium = Literal["image", "audio", "video", "pdf"]
MEDIA: tuple[Medium, ...] = ("image", "audio", "video", "pdf")
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PER_MILLION = 1_000_000
LONGEST_PROMPT_TOKENS = 1_048_576
"""What the models of today take at most."""
LONG_PROMPT_TOKENS = 200_000
DAY_S = 86_400
EPOCH = date(1970, 1, 1)
PAGE_SIZE = 1_000
# Gemini lists fewer than 100 models; a list without an end would be read forever.
MAX_LISTED = 10_000
MAX_PRICES = 1_000
"""How many prices of a day are remembered."""
STANDARD = "standard"
"""The service tier of a call that names none."""
BATCH = "batch"
"""The tier of a batch's calls."""


class Price(BaseModel):
    """Dollars a million tokens, until a date (inclusive); `*_long` hold above 200,000 input tokens.

    `tier` is Gemini's service tier in lower case: standard, flex, priority, or one of the future.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    until: date | None = None
    tier: str = STANDARD
    input: Dollars
    output: Dollars
    cached: Dollars | None = None
    input_audio: Dollars | None = None
    input_image: Dollars | None = None
    input_video: Dollars | None = None
    cached_long: Dollars | None = None
    input_long: Dollars | None = None
    output_long: Dollars | None = None

    def estimate(self, input_tokens: int, output_tokens: int) -> float:
        """Return the estimated cost of a call in dollars, all of its tokens fresh text."""
        if input_tokens <= LONG_PROMPT_TOKENS:
            return (input_tokens * self.input + output_tokens * self.output) / PER_MILLION
        rate_in, rate_out = self._long_rates()
        return (input_tokens * rate_in + output_tokens * rate_out) / PER_MILLION

    def _long_rates(self) -> tuple[float, float]:
        rate_in = self.input if self.input_long is None else self.input_long
        return rate_in, self.output if self.output_long is None else self.output_long

    def cost(self, usage: Usage) -> float:
        """Return the estimated cost of a call in dollars."""
        fresh = usage.input_tokens
        rate_in, rate_out, rate_cached = self.input, self.output, self.cached
        if fresh > LONG_PROMPT_TOKENS:
            rate_in, rate_out = self._long_rates()
            rate_cached = self.cached if self.cached_long is None else self.cached_long
        paid = 0.0
        if usage.cached_tokens:
            fresh = max(0, fresh - usage.cached_tokens)
            paid = usage.cached_tokens * (rate_in if rate_cached is None else rate_cached)
        paid += fresh * rate_in
        for modality, rate in (("audio", self.input_audio), ("image", self.input_image), ("video", self.input_video)):
            if rate is not None:
                counted = min(usage.input_by_modality.get(modality, 0), fresh)
                fresh -= counted
                paid += counted * (rate - rate_in)
        return (paid + (usage.output_tokens + usage.thinking_tokens) * rate_out) / PER_MILLION


class ModelFacts(BaseModel):
    """The abilities and prices of one model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepts: tuple[Medium, ...] = MEDIA
    ignores: tuple[str, ...] = ()
    prices: tuple[Price, ...] = ()

    def cost(self, usage: Usage, *, on: date, tier: str = STANDARD) -> float | None:
        """Return the estimated cost of a call in dollars, None without a price.

        A tier without prices of its own is taken to cost what standard does: no budget is passed by naming a tier.
        """
        price = self.price(on=on, tier=tier)
        return None if price is None else price.cost(usage)

    def price(self, *, on: date, tier: str) -> Price | None:
        """Find the price of a day and a service tier."""
        valid = [price for price in self.prices if price.until is None or on <= price.until]
        return next((p for wanted in (tier, STANDARD) for p in valid if p.tier == wanted), None)


class ModelTable(BaseModel):
    """The whole table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: dict[str, ModelFacts]

    def of(self, model: str) -> ModelFacts:
        """Return the facts of a model, for an unknown model its defaults."""
        return self.models.get(model, _UNKNOWN)


_UNKNOWN = ModelFacts()


def read_table(file: Path | None) -> ModelTable:
    """Read MODELS_FILE or the table that is shipped; raises SettingsError with one line when it is wrong."""
    path = file or Path(__file__).with_name("models.json")
    try:
        return ModelTable.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"MODELS_FILE: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingsError(": ".join(filter(None, ("MODELS_FILE", where, first["msg"])))) from None


class ListedModel(BaseModel):
    """A model as Gemini lists it."""

    model_config = ConfigDict(frozen=True)

    id: str
    display_name: str
    input_token_limit: int | None
    output_token_limit: int | None
    actions: tuple[str, ...]


class Models:
    """Names, aliases and the list of models."""

    def __init__(self, upstream: Upstream, control: genai.Client, settings: Settings) -> None:
        self._upstream = upstream
        self._control = control
        self._kept_for_s = settings.models_cache_s
        self._listed: tuple[ListedModel, ...] = ()
        self._listed_at: float | None = None
        self._lock = asyncio.Lock()
        self.table = read_table(settings.models_file)
        self.aliases = settings.model_aliases
        self.default = settings.gemini_default_model
        self._day = -1.0
        self._prices: dict[tuple[str, str], Price | None] = {}

    def resolve(self, requested: str | None) -> str:
        """Return the model of a name with or without `models/`, of an alias, or the default model for None."""
        name = (requested or self.default).removeprefix("models/")
        return self.aliases.get(name, name).removeprefix("models/")

    def cost(self, model: str, usage: Usage, *, tier: str = STANDARD) -> float | None:
        """Estimate the cost of a call in dollars, at a service tier's price; None when it is not known."""
        price = self.price(model, tier)
        return None if price is None else price.cost(usage)

    def price(self, model: str, tier: str = STANDARD) -> Price | None:
        """Return the price of a model today in a service tier, None without a price."""
        day = self._upstream.clock.now() // DAY_S
        if day != self._day:
            self._day, self._prices = day, {}
        key = (model, tier)
        try:
            return self._prices[key]
        except KeyError:
            pass
        if len(self._prices) >= MAX_PRICES:
            # Clients may name as many models as they like.
            self._prices.clear()
        on = date.fromordinal(EPOCH.toordinal() + int(day))
        price = self._prices[key] = self.table.of(model).price(on=on, tier=tier)
        return price

    async def listed(self) -> tuple[ListedModel, ...]:
        """Return the models that take media and generate. Raises the error of Gemini's refusal."""
        async with self._lock:
            if self._listed_at is None or time.monotonic() - self._listed_at > self._kept_for_s:
                self._listed = await self._fetch()
                self._listed_at = time.monotonic()
        return self._listed

    async def get(self, requested: str) -> ListedModel:
        """Get one of the listed models by name or alias; raises UnknownModelError."""
        name = self.resolve(requested)
        for model in await self.listed():
            if model.id == name:
                return model
        raise UnknownModelError(f"There is no model {requested!r}; GET /api/v1/models lists the models.")

    async def _fetch(self) -> tuple[ListedModel, ...]:
        found = []
        with control_errors():
            seen = 0
            async for model in await self._control.aio.models.list(config={"page_size": PAGE_SIZE}):
                seen += 1
                if seen > MAX_LISTED:
                    raise UpstreamFailedError(f"Gemini lists more than {MAX_LISTED} models.")
                if (listed := self._listed_model(model)) is not None:
                    found.append(listed)
        return tuple(found)

    def _listed_model(self, model: sdk.Model) -> ListedModel | None:
        """Return a model of Gemini's list, or None if it takes no media or does not generate."""
        name = (model.name or "").removeprefix("models/")
        actions = tuple(model.supported_actions or ())
        if "generateContent" not in actions or not self.table.of(name).accepts:
            return None
        return ListedModel(
            id=name,
            display_name=model.display_name or name,
            input_token_limit=model.input_token_limit,
            output_token_limit=model.output_token_limit,
            actions=actions,
        )

    async def probe(self) -> None:
        """See whether Gemini is there, by renewing the list of models when it is due."""
        await self.listed()
