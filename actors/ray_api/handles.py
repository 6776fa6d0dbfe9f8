"""How the handles of actors are typed.

Owns: the type of a method of an actor's handle. What a handle offers is a protocol beside its actor, such as
`actors.journal.actor.JournalHandle`.

Ray's own `ActorHandle[T]` gives every method the type Never, after which mypy checks nothing more of the function
(2.60), and its `@ray.method` takes a coroutine for the result of an asynchronous method.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
ResultT = TypeVar("ResultT", covariant=True)


class RemoteMethod(Protocol[P, ResultT]):
    """A method of an actor, called from another process."""

    def remote(self, *args: P.args, **kwargs: P.kwargs) -> Awaitable[ResultT]: ...
