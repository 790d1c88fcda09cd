"""What is started and closed: by hand, or by ``async with``."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class AsyncWith:
    """Mixed into what has ``start`` and ``aclose``: an async context manager of the two."""

    async def start(self) -> None:
        """Begin; ``async with`` does it."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """End, and wait for it; may be called twice."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
