"""Dates, sets and expressions: completions that give each gold answer, and that do not."""

from __future__ import annotations

from tests.reasoning.grading.answer_cases.numbers import Table

DATE_RIGHT: Table = [
    (
        "2021-05-13",
        [
            *("May 13, 2021", "The answer is the 13th of May 2021.", "13.05.2021", "2021/05/13", "05/13/2021"),
            *("Thursday, May 13th, 2021", "2021-05-13T00:00:00Z", "13-May-2021", "13 mai 2021"),
            *("13 de mayo de 2021", "2021年5月13日", "The date is not 2021-05-12 but 2021-05-13."),
            *("Today is May 12, 2021, so tomorrow is May 13, 2021.", "\\boxed{\\text{May 13, 2021}}"),
            *('{"answer": "2021-05-13"}', "13/5/21", "May 13 '21", "MAY 13 2021", "20210513"),
        ],
    ),
    ("2021", ["in 2021"]),
    ("2021-05", ["May 2021"]),
    (
        "2020-02-29",
        [
            *("Feb 29, 2020", "29 February, 2020", "The 29th of February, 2020.", "2020.02.29", "29/02/2020"),
            *("02/29/2020", "29-02-2020", "29. Februar 2020", "le 29 février 2020", "Sat, 29 Feb 2020"),
            *("Answer: February 29th 2020.", "The meeting is on Feb. 29, 2020 at 10:30."),
            *("Not Feb 28, 2020, but Feb 29, 2020.", "02/29/2020 (MM/DD/YYYY)", "\\boxed{02/29/2020}"),
            *("Yesterday was 2020-02-28, so today is 2020-02-29.",),
        ],
    ),
    ("1999-12", ["December 1999", "12/1999", "It was in 12/1999.", "декабрь 1999"]),
    ("2021-05-13", ["13 мая 2021 г.", "13 мая 2021"]),
    ("1999", ["1999", "It was 1999.", "The year was 1999."]),
    (
        "2023-07-04",
        [
            *("July 4, 2023", "July 4th, 2023 (Tuesday)", "4 July 2023.", "The date was July 4 of 2023", "2023/7/4"),
            *("Jul 4 2023", "It happened on 4th July, 2023.", "July 4, 2023, not July 5, 2023"),
            *("<answer>2023-07-04</answer>",),
        ],
    ),
]
DATE_WRONG: Table = [
    (
        "2021-05-13",
        [
            *("May 14, 2021", "not May 13, 2021", "May 13 or May 14, 2021", "from May 10 to May 13, 2021"),
        ],
    ),
    (
        "2020-02-29",
        [
            *("between 20 and 29 February 2020", "28 or 29 February 2020", "from 27 to 29 February 2020"),
            *("Feb 28 or Feb 29, 2020", "It can't be Feb 29, 2020.", "It isn't February 29, 2020."),
            *("the day before February 29, 2020", "Feb 27, 2020 - Feb 29, 2020", "03/01/2020"),
        ],
    ),
    (
        "2023-07-04",
        [
            *("04/07/2023", "July 5, 2023, not July 4, 2023", "July 3 or 4, 2023"),
            *("I don't think it's July 4, 2023.",),
        ],
    ),
]
SET_RIGHT: Table = [
    (
        "2, 5, red",
        [
            *("{red, 2, 5}", "2, 5, and red", "- 2\n- 5\n- red", "1. red\n2. 5\n3. 2", "The answer is red, 5 & 2."),
            *('["red", 2, 5]', '{"answer": ["red", 2, 5]}'),
        ],
    ),
    (
        "2, 5",
        [
            *("x = 2 or x = 5", "x ∈ {2, 5}", "\\boxed{\\{2, 5\\}}", "\\boxed{2}, \\boxed{5}", "2; 5"),
            *("$x=2$ and $x=5$", "2, 5, 2", "both 2 and 5", "2 and 5, but not 7"),
        ],
    ),
    ("cat, dog", ["a cat and a dog", "**dog**, **cat**", "The answer is: dog, cat."]),
    (
        "none",
        [
            *("There are none.", "∅", "the empty set", "No solutions.", "None", "{}", "There are no such numbers."),
        ],
    ),
    (
        "ant, bee, wasp",
        [
            *("bee, wasp, ant", "The answer is ant, bee, and wasp.", "* Ant\n* Bee\n* Wasp"),
            *("the ant, the bee and the wasp", '{"ant", "bee", "wasp"}', "ant | bee | wasp", "ant\nbee\nwasp"),
            *("The three insects: ant, bee and wasp", "All of these: ant, bee, wasp"),
            *("ant (A), bee (B), wasp (W)", "ant, bee, wasp (but not fly)"),
            *("- ant\n- bee\n- wasp\n\nThese are all insects.", "ant, bee, wasp (three in all)"),
            *("Answer: [ant, bee, wasp]", "The three insects are ant, bee and wasp."),
        ],
    ),
    (
        "1, -3",
        [
            *("x = -3, 1", "x=1 \\text{ or } x=-3", "\\{-3, 1\\}", "{1,-3}", "$x_1 = 1, x_2 = -3$"),
            *("The solutions are $1$ and $-3$.", "\\boxed{1, -3}", "\\boxed{1} and \\boxed{-3}", "1.0, -3.0"),
        ],
    ),
    (
        "tea, milk",
        [
            *("milk and tea", "- Tea\n- Milk", "(tea, milk)", "The drinks are tea and milk.", "Answer: tea; milk."),
        ],
    ),
    (
        "3, 7, 11",
        [
            *("11, 7, 3", "x ∈ {3, 7, 11}", "3, 7, 11.", "\\boxed{3,7,11}", "$x = 3$, $x = 7$, $x = 11$"),
        ],
    ),
]
SET_WRONG: Table = [
    ("2, 5, red", ["2 and 5", "2, 5, red, blue"]),
    ("2, 5", ["not 2 and 5"]),
    ("cat, dog", ["Cats and dogs"]),
    (
        "ant, bee, wasp",
        [
            *("- ant\n- bee\n\nBoth are insects.", "ant, bee, wasp, fly (all insects)"),
            *("ant and bee", "ant, bee, wasp, fly", "not ant, bee and wasp", "ant, bee, but not wasp"),
        ],
    ),
    ("1, -3", ["1 and 3"]),
    ("tea, milk", ["tea, milk, and coffee", "tea", "neither tea nor milk"]),
    ("3, 7, 11", ["3, 7"]),
]
EXPRESSION_RIGHT: Table = [
    ("x^2-1", ["(x-1)(x+1)", "The answer is $x^2 - 1$.", "\\boxed{x^{2}-1}", "x**2 - 1"]),
    ("\\frac{\\pi}{2}", ["π/2", "\\boxed{\\dfrac{\\pi}{2}}", "pi/2"]),
    ("2\\sqrt{3}", ["2√3", "$\\sqrt{12}$", "The length is 2\\sqrt{3} cm."]),
    ("(1, 2)", ["(1,2)"]),
    ("[0, 1)", ["$[0,1)$"]),
    ("y = 2x + 1", ["y=2x+1", "2x+1"]),
    ("0.5", ["\\frac{1}{2}"]),
    ("x > 3", ["x>3", "3 < x"]),
    (
        "3x+2",
        [
            *("3x + 2", "2+3x", "$3x+2$", "f(x) = 3x+2", "\\boxed{3x+2}", "The simplified form is 3x + 2."),
            *("3*x + 2",),
        ],
    ),
    ("\\frac{1}{x}", ["1/x", "x^{-1}"]),
    ("\\sqrt{2}/2", ["\\frac{\\sqrt{2}}{2}", "1/\\sqrt{2}", "sqrt(2)/2", "√2/2"]),
    ("e^2", ["e^{2}", "e²"]),
    ("2\\pi r", ["2πr", "2*pi*r"]),
    ("(-\\infty, 3]", ["(-∞, 3]"]),
    ("n(n+1)/2", ["\\frac{n(n+1)}{2}", "\\frac{n^2+n}{2}"]),
    ("5", ["x = 5", "5.0"]),
    ("12", ["\\boxed{12}\\text{ cm}"]),
    ("x^2", ["**x^2**", "x²"]),
    ("x+1", ["x + 1", "1+x", "y = x + 1", "The result is $x+1$.", "(x+1)"]),
    ("\\frac{3}{4}", ["0.75", "3/4", "\\frac34"]),
    ("2^{10}", ["1024"]),
    ("a^2+b^2", ["b^2+a^2"]),
    ("\\log 2", ["log 2"]),
    ("3\\sqrt{2}", ["3*sqrt(2)", "\\sqrt{18}"]),
    ("i", ["\\boxed{i}"]),
]
EXPRESSION_WRONG: Table = [
    ("x^2-1", ["x^2+1", "not x^2-1", "x^2-1 or x^2+1"]),
    ("(1, 2)", ["(2,1)"]),
    ("[0, 1)", ["[0,1]"]),
    ("3x+2", ["3x-2", "The answer is not 3x+2."]),
    ("5", ["five"]),
    ("x^2", ["x^2 or x^3"]),
    ("x+1", ["x-1"]),
]
