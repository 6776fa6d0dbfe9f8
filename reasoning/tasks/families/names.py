"""People for the generated questions: common first names, and invented ones without end.

Owns: the list of names and the maker of new ones. Invariants: a name is one capitalised word of letters that is no
ordinary word of a rationale, so that a sentence can be searched for it; `distinct_names` never repeats a name.
"""

from __future__ import annotations

import random

_COMMON = """
Aaron Abby Abel Ada Adam Adela Adrian Agnes Aidan Aisha Alan Albert Alejandra Alex Alfredo Ali Alice Alison Alma Alvin
Amanda Amber Amir Amy Ana Anders Andre Andrea Andrew Angel Angela Anita Ann Anna Anne Annie Anthony Antonio April Ariel
Arthur Asha Ashley Astrid Audrey Ava Barbara Beatrice Becky Bella Ben Bernard Beth Bianca Bill Blake Bob Boris Brandon
Brenda Brian Bruno Caleb Cameron Carl Carla Carlos Carmen Carol Caroline Cecilia Charles Charlotte Chloe Chris Claire
Clara Claudia Cody Colin Connor Cora Craig Curtis Cynthia Daisy Dan Daniel Daphne David Dean Deborah Dennis Derek
Diana Diego Dmitri Donna Dora Doris Dylan Edgar Edith Edward Eileen Elena Eli Elias Elijah Elise Eliza Ella Ellen Elsa
Emily Emma Emmanuel Enrique Eric Erica Erin Ernest Esther Ethan Eugene Eva Evan Evelyn Fatima Felix Fernando Fiona
Flora Florence Frances Frank Fred Frida Gabriel Gail Gary George Gerald Gina Gloria Gordon Grace Graham Greta Gustavo
Hannah Harold Harriet Harry Hassan Hector Heidi Helen Henry Holly Howard Hugo Ian Ibrahim Ida Igor Imani Ines Ingrid
Irene Iris Isaac Isabel Ivan Ivy Jack Jacob Jada James Jamie Jane Janet Jasmine Jason Javier Jean Jeff Jenna Jenny
Jerome Jesse Jill Jin Joan Joel John Jonas Jordan Jorge Jose Joseph Josh Joy Joyce Juan Judith Judy Julia Julian June
Justin Kara Karen Karim Karl Kate Kathy Keith Kelly Ken Kevin Khalid Kim Kira Kofi Kurt Kyle Lamar Lara Larry Laura
Lauren Leah Lee Leila Leo Leon Leonard Leslie Liam Lily Linda Lisa Logan Lola Lorenzo Louis Lucas Lucia Lucy Luis Luke
Lydia Mabel Maggie Malik Marcus Margaret Maria Marie Marina Mario Marisol Martha Martin Mary Mason Mateo Matthew Maya
Megan Mei Melissa Michael Miguel Mila Miles Millie Milo Mina Miriam Mohamed Molly Monica Morgan Nadia Nancy Naomi
Natalie Nathan Neil Nell Nicholas Nicole Nina Noah Noel Nora Norman Olga Oliver Olivia Omar Oscar Otto Owen Pablo Pamela
Patricia Patrick Paul Paula Pedro Peggy Penny Perry Peter Petra Philip Phoebe Priya Quentin Rachel Rafael Ralph Ramon
Raymond Rebecca Regina Renee Rhonda Ricardo Richard Rita Robert Robin Rodney Roger Roland Rosa Ross Roxanne Roy Ruben
Ruby Russell Ruth Ryan Sabrina Sally Sam Samantha Samuel Sandra Sara Scott Sean Selma Seth Shane Shannon Sharon Sheila
Shirley Sidney Silvia Simon Sofia Sonia Stanley Stella Stephen Steven Stuart Susan Sylvia Tamara Tanya Tara Teresa
Terry Theo Theresa Thomas Tiffany Tim Tina Todd Tom Tony Tracy Travis Trevor Tyler Ursula Valerie Vanessa Vera Vernon
Veronica Victor Victoria Vincent Viola Violet Virginia Vivian Walter Wanda Warren Wayne Wendy Wesley Whitney William
Winston Xavier Yasmin Yolanda Yusuf Yvonne Zach Zane Zelda Zoe
"""
COMMON_NAMES: tuple[str, ...] = tuple(_COMMON.split())

_ONSETS = "b br c ch cl d dr f g gr h j k kl l m n p pr r s sh st t tr v w y z"
_VOWELS = "a a e e i i o o u ai ea ie"
_CODAS = "- - - - n l r s m t d k x ng ck th"  # "-": an open syllable
_SENTENCE_WORDS = (
    "A After And Answer At Before Choice Each For He Her His How In Is It Its Last Next No Not Nothing Now Of On Put "
    "She So Step Still That The Their Them Then There They This Those Together Up We What Which Yes You"
)
_SYLLABLES = (_ONSETS.split(), _VOWELS.split(), _CODAS.split())
_RESERVED = frozenset(_SENTENCE_WORDS.split())


def invented_name(rng: random.Random) -> str:
    """A pronounceable new name of one to three syllables, now and then two bare letters such as "Tj"."""
    while True:
        if rng.random() < 0.08:
            name = rng.choice("ABCDJKLMRTV") + rng.choice("bcdjkmtv")
        else:
            syllables = rng.choice((1, 2, 2, 2, 3))
            onsets, vowels, codas = _SYLLABLES
            open_part = "".join(rng.choice(onsets) + rng.choice(vowels) for _ in range(syllables))
            name = (open_part + rng.choice(codas).strip("-")).capitalize()
        if name not in _RESERVED:
            return name


def distinct_names(rng: random.Random, count: int, invented: float = 0.4) -> list[str]:
    """`count` different names; each is invented with probability `invented`, else drawn from the common ones."""
    names: list[str] = []
    while len(names) < count:
        name = invented_name(rng) if rng.random() < invented else rng.choice(COMMON_NAMES)
        if name not in names:
            names.append(name)
    return names
