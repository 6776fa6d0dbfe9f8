"""The base of every error that is told to the user in one message, and not with a traceback.

Owns: that class, and which exit code an error has: 2 bad input (nothing was started), 1 what was started has stopped.

Invariant: the message of such an error says what is wrong, where, and what to do.
"""

from __future__ import annotations

from typing import ClassVar


class UserError(Exception):
    """What a user can put right. `exit_code` is the program's when nothing else is done about it."""

    exit_code: ClassVar[int] = 2
