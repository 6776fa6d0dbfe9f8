"""Which option a text names: to the letter, by its words, its number, its value and its unit."""

from __future__ import annotations

import pytest

from reasoning.grading.named_options import is_option_text, named_option, options_within


@pytest.mark.parametrize(
    ("said", "choices", "letter"),
    [
        ("the White ball", ("blue ball", "white ball"), "B"),
        ("white", ("blue ball", "white ball"), "B"),
        ("ball", ("blue ball", "white ball"), ""),
        ("products", ("billing", "product"), "B"),
        ("0.5", ("1/2", "1/4"), "A"),
        ("75%", ("1/2", "3/4"), "B"),
        ("$10", ("10", "$10", "10%"), "B"),
        ("five km", ("5 m", "5 km"), "B"),
        ("one million", ("1,000", "1,000,000"), "B"),
        ("100 000", ("10,000", "100,000"), "B"),
        ("05-01-2021", ("05/11/2021", "05/01/2021"), "B"),
        ("river bank", ("bank", "river bank"), "B"),
        ("the river, not the bank", ("bank", "river"), "B"),
        ("You can't swim in the bank, but in the river", ("bank", "river"), "B"),
        ("You wouldn't swim in the bank", ("bank", "river"), ""),
        ("You can't find a better place than the bank", ("bank", "river"), "A"),
        ("Penguins cannot fly", ("can fly", "cannot fly"), "B"),
        ("bank or river", ("bank", "river"), ""),
        ("1/7", ("1/3", "1"), ""),
        ("anything", (), ""),
    ],
)
def test_the_option_that_is_named(said: str, choices: tuple[str, ...], letter: str) -> None:
    assert named_option(said, choices) == letter


def test_options_in_a_text_and_alone() -> None:
    assert list(options_within("The bank, not the oven.", ("oven", "garden", "bank"))) == ["A", "C"]
    assert is_option_text("the oven.", ("oven", "bank"), 0) and not is_option_text("oven heat", ("oven", "bank"), 0)
