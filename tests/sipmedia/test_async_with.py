"""What is started and closed, by `async with`."""

import asyncio

import pytest

from sipmedia.async_with import AsyncWith


class Shop(AsyncWith):
    """Says what was done to it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def start(self) -> None:
        self.told.append("start")

    async def aclose(self) -> None:
        self.told.append("aclose")


async def visit(shop: Shop) -> None:
    """Goes in, and falls."""
    async with shop as same:
        assert same is shop
        assert shop.told == ["start"]
        raise KeyError


def test_it_is_started_and_closed_whatever_happens() -> None:
    shop = Shop()
    with pytest.raises(KeyError):
        asyncio.run(visit(shop))
    assert shop.told == ["start", "aclose"]
