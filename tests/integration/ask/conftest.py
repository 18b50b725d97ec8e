"""Fixtures of the tests of `ask`."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.ask.stand_in import StandIn, stand_in


@pytest.fixture
async def gateway() -> AsyncIterator[StandIn]:
    async with stand_in() as running:
        yield running
