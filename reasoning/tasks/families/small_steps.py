"""One calculation worked out in smaller ones: the way it is done in the head, place by place.

Owns: `smaller`, equations that lead from two operands to their result. Invariants: every equation is true, no number
is negative, and none of them is the calculation itself.
"""

from __future__ import annotations

from dataclasses import dataclass

PLUS, MINUS, TIMES, DIVIDED = "+", "-", "×", "÷"


@dataclass(frozen=True, slots=True)
class Equation:
    """`left op right = result` over integers."""

    left: int
    op: str
    right: int
    result: int

    def __str__(self) -> str:
        return f"{self.left} {self.op} {self.right} = {self.result}"

    def same_terms(self, other: Equation) -> bool:
        """Whether both calculate the same thing (the order of a sum or product does not count)."""
        if self.op != other.op:
            return False
        terms, others = (self.left, self.right), (other.left, other.right)
        return terms == others or (self.op in (PLUS, TIMES) and terms == others[::-1])


def calculate(left: int, op: str, right: int) -> int:
    """The result; a division is rounded down. Errors: `ValueError` for an unknown operation, `ZeroDivisionError`."""
    if op == PLUS:
        return left + right
    if op == MINUS:
        return left - right
    if op == TIMES:
        return left * right
    if op == DIVIDED:
        return left // right
    raise ValueError(f"unknown operation {op!r}; use one of + - × ÷")


def equation(left: int, op: str, right: int) -> Equation:
    """The true equation of `left op right`."""
    return Equation(left, op, right, calculate(left, op, right))


def smaller(left: int, op: str, right: int) -> list[Equation]:
    """Equations that work `left op right` out place by place; none where it cannot be made smaller."""
    if op in (PLUS, MINUS):
        parts = _place_by_place(left, op, right)
    elif op == TIMES:
        parts = _product(left, right)
    else:
        parts = _quotient(left, right)
    whole = equation(left, op, right)
    kept = [part for part in parts if not part.same_terms(whole)]
    if op in (PLUS, MINUS) and kept and kept[-1].result != whole.result:
        return []  # 1 + 21 by way of 1 + 20 ends in 21 + 1, which is the calculation itself
    return kept


def _places(number: int) -> list[int]:
    """352 -> [300, 50, 2]; zeros are left out."""
    text = str(number)
    return [int(digit) * 10 ** (len(text) - 1 - i) for i, digit in enumerate(text) if digit != "0"]


def _place_by_place(left: int, op: str, right: int) -> list[Equation]:
    """24 + 13: 24 + 10 = 34, 34 + 3 = 37. A last digit that crosses a ten goes by way of that ten."""
    parts: list[Equation] = []
    total = left
    for place in _places(right):
        for piece in _by_way_of_ten(total, op, place) if place < 10 else [place]:
            parts.append(equation(total, op, piece))
            total = parts[-1].result
    return parts


def _by_way_of_ten(total: int, op: str, digit: int) -> list[int]:
    room = (10 - total % 10) % 10 if op == PLUS else total % 10
    return [room, digit - room] if 0 < room < digit else [digit]


def _product(left: int, right: int) -> list[Equation]:
    """13 × 4: 10 × 4 = 40, 3 × 4 = 12, 40 + 12 = 52. The longer factor is the one taken apart."""
    long, short = (left, right) if left >= right else (right, left)
    parts = [equation(place, TIMES, short) for place in _places(long)]
    if len(parts) < 2:
        return []
    total = parts[0].result
    sums = []
    for part in parts[1:]:
        sums.append(equation(total, PLUS, part.result))
        total = sums[-1].result
    return parts + sums


def _quotient(left: int, right: int) -> list[Equation]:
    """52 ÷ 4: 10 × 4 = 40, 52 - 40 = 12, 3 × 4 = 12, 10 + 3 = 13."""
    if right == 0:
        return []
    quotient = left // right
    places = _places(quotient)
    parts: list[Equation] = []
    rest, total = left, 0
    for index, place in enumerate(places):
        parts.append(equation(place, TIMES, right))
        if index < len(places) - 1:
            parts.append(equation(rest, MINUS, parts[-1].result))
            rest = parts[-1].result
        if index:
            parts.append(equation(total, PLUS, place))
        total += place
    return parts
