"""Calls that start an event loop of their own, made from where one is running already (a notebook's).

Owns: the thread in which such a call is made. Invariant: a `KeyboardInterrupt` of the caller reaches the call, which
ends in order before the caller goes on.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

ResultT = TypeVar("ResultT")


def outside_any_loop(call: Callable[[], ResultT]) -> ResultT:
    """What `call` returns, or raises; made in this thread where no event loop is running, otherwise in another."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call()
    result: Future[ResultT] = Future()

    def work() -> None:
        try:
            result.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it was called from
            result.set_exception(error)

    thread = threading.Thread(target=work, name="tailor", daemon=True)
    thread.start()
    try:
        return result.result()
    except KeyboardInterrupt:
        if thread.is_alive() and thread.ident is not None:
            interrupt = ctypes.py_object(KeyboardInterrupt)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), interrupt)
            thread.join()
        raise
