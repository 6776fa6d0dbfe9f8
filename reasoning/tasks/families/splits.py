"""Which split a generated question belongs to.

Owns: the one rule. Invariant: it looks at the question's text and at nothing else, so whoever generates a question, in
whatever run and by whatever seed, finds it in the same split.
"""

from __future__ import annotations

from reasoning.records import Split, stable_id


def split_of(question: str) -> Split:
    """The one split a question belongs to, by a hash of its text (0: test, 1: validation, 2 to 9: train, of ten)."""
    bucket = int(stable_id(question), 16) % 10
    return Split.TEST if bucket == 0 else Split.VALIDATION if bucket == 1 else Split.TRAIN
