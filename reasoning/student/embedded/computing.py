"""Computing: single equations, the same in smaller steps, and chains in which one result is the next equation's start.

Owns: passages of bare numbers. Invariants: integers of at most three digits, no negative result, every division exact:
the numbers of the arithmetic family; no words that tell a story.
"""

from __future__ import annotations

import random

from reasoning.student.embedded.passage import Passage, Writer, passage
from reasoning.tasks.families.small_steps import DIVIDED, MINUS, PLUS, TIMES, Equation, equation, smaller

LARGEST = 999
_SAY = {PLUS: "add", MINUS: "take away", TIMES: "times", DIVIDED: "share by"}


def _amount(rng: random.Random) -> int:
    """A running total: every size is met often."""
    return rng.randint(2, 99) if rng.random() < 0.6 else rng.randint(100, LARGEST)


def step_from(rng: random.Random, left: int) -> Equation:
    """A calculation that starts from `left` and stays within bounds."""
    while True:
        op = rng.choices((PLUS, MINUS, TIMES, DIVIDED), (4, 5, 2, 2))[0]
        if op == PLUS:
            right = rng.randint(2, 99) if rng.random() < 0.8 else rng.randint(100, 400)
        elif op == MINUS:
            right = rng.randint(2, 99) if rng.random() < 0.8 else rng.randint(2, LARGEST)
        else:
            right = rng.randint(2, 9)
        if (op == MINUS and right > left - 2) or (op == DIVIDED and (left % right or left == right)):
            continue
        if equation(left, op, right).result <= LARGEST:
            return equation(left, op, right)


def any_equation(rng: random.Random) -> Equation:
    """One equation; products in either order, differences from round numbers now and then."""
    kind = rng.random()
    if kind < 0.16:
        few, many = rng.randint(2, 9), rng.randint(2, 99)
        return equation(few, TIMES, many)
    if kind < 0.22:
        whole = 50 * rng.randint(1, 18)
        return equation(whole, MINUS, rng.randint(max(2, whole - 60), whole - 1))
    if kind < 0.34:
        few, many = rng.randint(2, 9), rng.randint(2, 199)
        if few * many <= LARGEST:
            return equation(few * many, DIVIDED, few)
    return step_from(rng, _amount(rng))


def equations(rng: random.Random) -> Passage:
    """Several equations to finish."""
    texts: list[str] = []
    for _ in range(8):
        eq = any_equation(rng)
        texts += [f" {eq.left} {eq.op} {eq.right} =", f" {eq.result}."]
    texts[0] = texts[0].lstrip()
    return passage(*texts)


def smaller_steps(rng: random.Random) -> Passage:
    """One equation worked out place by place."""
    eq = any_equation(rng)
    parts = smaller(eq.left, eq.op, eq.right)
    worked = " ".join(f"{part}." for part in (*parts, eq))
    return passage(f"In small steps, {eq.left} {eq.op} {eq.right}:", f" {worked}")


def chain(rng: random.Random) -> Passage:
    """A list of things to do to a number, done one after the other."""
    eq = step_from(rng, _amount(rng))
    done = [eq]
    for _ in range(rng.randint(0, 3)):
        done.append(step_from(rng, done[-1].result))
    orders = ", ".join(f"{_SAY[eq.op]} {eq.right}" for eq in done)
    return passage(f"Take {eq.left}, {orders}:", " " + " ".join(f"{eq}." for eq in done))


WRITERS: dict[str, Writer] = {"equations": equations, "smaller_steps": smaller_steps, "chain": chain}
