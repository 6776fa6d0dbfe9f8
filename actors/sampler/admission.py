"""Who is asked next: requests wait in line for a replica with room, so that an engine's own queue stays short.

Owns: the line, and handing room over. What room is, and which replica has most of it, is for the caller to say.

Invariants
- First come, first served: nobody who comes later is given room before one who waits.
- Room that is handed to a request whose caller has gone meanwhile is given back.
- Costs the same whether ten or a hundred thousand wait, and where somebody waits, whether there are ten places or a
  thousand. Pure: no Ray, no clock; it lives in one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

PlaceT = TypeVar("PlaceT")


class Admission(Generic[PlaceT]):
    """`take(size, at)` takes room for a request of `size` at a place, or somewhere, and says where, or says None;
    `give_back(place, size)` undoes that. Whoever gives room back calls `serve` afterwards."""

    def __init__(
        self, take: Callable[[int, PlaceT | None], PlaceT | None], give_back: Callable[[PlaceT, int], None]
    ) -> None:
        self._take, self._give_back = take, give_back
        self.waiting = 0  # the sizes of all that wait
        self.enough = 0  # with so much waiting, `take` finds more room: it is asked again
        self._line: deque[tuple[int, asyncio.Future[PlaceT]]] = deque()

    async def admitted(self, size: int) -> PlaceT:
        """Where a request of `size` has been given room, once it is its turn. Raises what `fail` is given."""
        if not self._line:
            place = self._take(size, None)
            if place is not None:
                return place
        turn: asyncio.Future[PlaceT] = asyncio.get_running_loop().create_future()
        self._line.append((size, turn))
        self.waiting += size
        if self.waiting - size < self.enough <= self.waiting:
            self.serve()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._give_back(turn.result(), size)
            self.serve()  # it may have stood in the way of others
            raise

    def serve(self, at: PlaceT | None = None) -> None:
        """Hands out what room there is, in the line's order; with `at`, where there is new room nowhere else."""
        smallest = None
        while self._line:
            size, turn = self._line[0]
            if not turn.done():
                if smallest is not None and size < smallest:
                    at = None  # it may fit where the larger ones before it did not
                smallest = size
                place = self._take(size, at)
                if place is None:
                    return
                turn.set_result(place)
            self._line.popleft()
            self.waiting -= size

    def fail(self, error: BaseException) -> None:
        """No room will come: raises `error` for all who wait."""
        while self._line:
            size, turn = self._line.popleft()
            self.waiting -= size
            if not turn.done():
                turn.set_exception(error)
