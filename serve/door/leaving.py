"""How an application learns that nobody waits for its answer any more.

vLLM's routes end the engine's work when they hear that their client is gone. Cancelled they do not: the answer is then
written to its end, for nobody.

Invariant: an application that is given up hears so, ends, and is heard no more.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LAST_S = 0.5  # how long an application that was told so may take to end


async def run_until_given_up(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Runs `app`. When this is cancelled, `app` is told that its client is gone, and then cancelled."""
    given_up = asyncio.Event()

    async def hear() -> Message:
        coming, over = asyncio.ensure_future(receive()), asyncio.create_task(given_up.wait())
        try:
            await asyncio.wait({coming, over}, return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else {"type": "http.disconnect"}
        finally:
            coming.cancel()
            over.cancel()

    async def say(message: Message) -> None:
        if not given_up.is_set():
            await send(message)

    running = asyncio.ensure_future(app(scope, hear, say))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        given_up.set()
        asyncio.get_running_loop().call_later(_LAST_S, running.cancel)
        await asyncio.wait({running})  # cancelled once more, this ends alone
        raise
