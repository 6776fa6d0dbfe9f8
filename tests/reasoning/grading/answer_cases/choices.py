"""Options as models write them: of each gold answer, completions that give it and completions that do not."""

from __future__ import annotations

from tests.reasoning.grading.answer_cases.numbers import Table

PLACES = ("cellar", "attic", "kitchen", "shed", "none of these")
FRACTIONS = ("1/3", "1/5", "2/5", "3/5", "1")
MONEY = ("-8", "8", "20%", "$20", "20")
LENGTHS = ("7 m", "7 cm", "70 m", "700 cm", "17 m/s")
VITAMINS = ("Vitamin B", "Vitamin D", "Vitamin E", "Vitamin C", "Vitamin A")
DATES = ("03/02/2020", "02/28/2020", "02/29/2020", "03/01/2020", "02/29/2019")
CREATURES = ("whale", "penguin", "bat", "cow", "rabbit")
RATIOS = ("2/5", "3/7", "40 km", "15%", "1,200")
TOOLS = ("spoon", "hammer", "pencil", "kettle")
VALUES = ("0.25", "12 hours", "$45", "1/6", "none of these")
PLANTS = ("carrot", "leek", "onion", "plum", "potato")
BALLS = ("yellow ball", "black ball", "pink ball")

RIGHT: list[tuple[tuple[str, ...], Table]] = [
    (PLANTS, [("D", ["After eliminating A, B, C and E, D is left.", "D is the odd one out."])]),
    (
        TOOLS,
        [
            (
                "C",
                [
                    "Cross out A, B and D; C remains.",
                    "A, B and D can be ruled out, so C.",
                    "With A, B and D eliminated, C is the answer.",
                    "(A) false (B) false (C) true (D) false",
                    "A - no, B - no, C - yes, D - no",
                    "A: incorrect\nB: incorrect\nC: correct\nD: incorrect",
                    "'C'",
                    "{C}",
                    "<C>",
                    "«C»",
                    "应选C",
                    "A pencil is used for writing, unlike a hammer or a spoon.",
                    "The answer isn't A, B, or D; it's C.",
                ],
            ),
        ],
    ),
    (
        VALUES,
        [
            (
                "A",
                [
                    "0,25",
                ],
            ),
        ],
    ),
    (
        CREATURES,
        [
            (
                "B",
                [
                    "{B}",
                    "<B>",
                    "`B`",
                    "'B'",
                    "选B。",
                    "所以选择B",
                    "Eliminating A, C, D and E leaves B.",
                    "Ruling out A, C, D and E, only B remains.",
                    "A, C, D and E are mammals; therefore B.",
                    "It is not A, C, D or E, so it must be B.",
                    "Of the options, only B lays eggs.",
                    "(A) no (B) yes (C) no (D) no (E) no",
                ],
            ),
            (
                "C",
                [
                    "Eliminating A, B and D leaves C.",
                    "After discarding A, B, D and E we are left with C.",
                    "C remains.",
                    "Only C is left.",
                    "A: no. B: no. C: yes. D: no.",
                ],
            ),
            (
                "A",
                [
                    "(A) whale is correct, while (B) penguin is not.",
                ],
            ),
        ],
    ),
    (
        RATIOS,
        [
            (
                "D",
                [
                    "0.15",
                ],
            ),
        ],
    ),
    (
        PLACES,
        [
            (
                "C",
                [
                    "So C is the answer.",
                    "```\nC\n```",
                    '{"choice": "C"}',
                    '{"final_option": "(C)"}',
                    "<ans>C</ans>",
                    "Ⓒ",
                    "（Ｃ）",
                    "Therefore, C is the correct answer.",
                    "Choice C it is.",
                    "I choose c.",
                    "I'd go with C.",
                    "I pick option C, a warm room.",
                    "My choice: C (a warm room)",
                    "(C) rather than (D).",
                    "Only (C) fits; (D) does not.",
                    "Between (C) and (D), (C) is better than (D).",
                    "C is right; a cellar is not.",
                    "C is my answer",
                    "Answer: Ｃ",
                    "<answer>C</answer>",
                    "<answer>(C) kitchen</answer>",
                    '{"answer": "C"}',
                    '{"final_answer": "C", "sure": true}',
                    "```\nAnswer: C\n```",
                    "\\framebox{C}",
                    "\\boxed{\\text{C}}",
                    "\\boxed{\\textbf{(C)}}",
                    "\\boxed{C: kitchen}",
                    "[ANSWER]C[/ANSWER]",
                    "**C) kitchen**\n\nWhy not the others?\n- A) cellar: too cold\n- D) shed: outside",
                    "The answer is C. A common wrong answer is D.",
                    "The answer isn't D; it is C.",
                    "It's not D. It's C.",
                    "The answer is not D but C.",
                    "(D) is wrong. (C) it is.",
                    "(A), (B) and (D) are too cold, so (C).",
                    "The answer is ~~D~~ C.",
                    "Answer: D\n\nWait, that's wrong. The answer is C.",
                    "Answer: **C**",
                    "Answer: C.",
                    "answer: c",
                    "Answer - C".replace(" - ", " — "),
                    "The answer is the kitchen.",
                    "kitchen",
                    "**Kitchen**",
                    "Answer: KITCHEN",
                    "The answer is kitchens",
                    "The best option is C.",
                    "答案是 C。",
                    "La respuesta es C.",
                    "Ans: C",
                    "The answer is option C because it is warm.",
                    "The correct answer is (c).",
                    "Final answer: C) kitchen",
                    "While the answer D is tempting, the correct answer is C.",
                    "The answer is C, since A and B are cold.",
                    "Answer: [C]",
                    "Answer: {C}",
                    "The answer is C<|eot_id|>",
                    "<think>D? No.</think>C",
                    "I select (C).",
                    "Thus, the answer should be C.",
                    "Option C is correct.",
                ],
            ),
            (
                "E",
                [
                    "Answer: None of these",
                    "The answer is none of these.",
                    "\\boxed{\\text{none of these}}",
                    "none of these",
                ],
            ),
            (
                "A",
                [
                    "Answer: A",
                    "A",
                    "A.",
                    "The answer is A.",
                    "(A)",
                    "A) cellar",
                    "The answer is A because it is cold.",
                    "The answer is A cellar.",
                    "e.g. in a cellar",
                    "It must be A.",
                ],
            ),
        ],
    ),
    (
        FRACTIONS,
        [
            (
                "A",
                [
                    "The answer is 1/3.",
                    "\\boxed{\\frac{1}{3}}",
                    "The answer is \\frac13",
                    "The answer is 2/6.",
                    "The answer is one third.",
                ],
            ),
            ("B", ["The answer is 0.2.", "The answer is 20%.", "The answer is 1/5 of it"]),
            ("D", ["The answer is 60%.", "The answer is 6/10", "0.6"]),
            ("E", ["The answer is 1.", "\\boxed{1.0}"]),
        ],
    ),
    (
        MONEY,
        [
            ("A", ["The answer is -8.", "The answer is −8"]),
            ("B", ["The answer is 8."]),
            ("D", ["The answer is $20."]),
            ("C", ["The answer is 20%."]),
        ],
    ),
    (
        LENGTHS,
        [
            ("A", ["The answer is 7 m.", "The answer is 7m.", "The answer is seven m"]),
            ("B", ["The answer is 7 cm"]),
            ("C", ["70"]),
            ("E", ["The answer is 17 m/s."]),
        ],
    ),
    (
        VITAMINS,
        [
            ("B", ["Vitamin D", "The answer is Vitamin D.", "The answer is vitamin d."]),
            ("E", ["Vitamin A", "It is Vitamin A."]),
        ],
    ),
    (
        DATES,
        [
            (
                "D",
                [
                    "The answer is 03-01-2020.",
                    "Yesterday was 02/29/2020, so today is 03/01/2020.",
                    "The answer is 03/01/2020.",
                ],
            ),
            ("C", ["\\boxed{02/29/2020}", "The answer is 2/29/2020"]),
        ],
    ),
    (
        BALLS,
        [("C", ["Answer: pink", "Answer: the pink ball", "Eve has the pink ball.", "The answer is (C) pink ball."])],
    ),
    (
        ("I only", "II only", "III only", "I and II", "II and III"),
        [("C", ["Only III", "The answer is III only."]), ("E", ["The answer is II and III."])],
    ),
    (
        ("27", "36", "45", "54", "63"),
        [("C", ["\\boxed{45.0}", "The answer is 45.", "\\boxed{x = 45}", "The answer is 9 × 5 = 45."])],
    ),
    (
        ("1,500", "15,000", "150,000", "1,500,000", "15.5"),
        [
            ("C", ["The answer is 150 000", "The answer is 150,000."]),
            ("D", ["The answer is one and a half million.", "The answer is 1.5 million"]),
        ],
    ),
]

WRONG: list[tuple[tuple[str, ...], Table]] = [
    (PLANTS, [("D", ["A plum is not a fruit, so E.", "We can exclude D."])]),
    (
        TOOLS,
        [
            (
                "C",
                [
                    "Anything but C",
                    "Not the pencil.",
                    "C is the wrong answer.",
                    "Option C is incorrect.",
                ],
            ),
        ],
    ),
    (
        VALUES,
        [
            (
                "A",
                [
                    "not 0.25",
                ],
            ),
            (
                "B",
                [
                    "not 12 hours",
                ],
            ),
        ],
    ),
    (
        CREATURES,
        [
            (
                "B",
                [
                    "All but B.",
                    "Eliminating B, C and D leaves A and E.",
                    "Eliminating B leaves C.",
                    "B? No, C.",
                ],
            ),
            (
                "A",
                [
                    "Eliminating A, B and D leaves C.",
                    "A bat lays eggs.",
                    "A cannot be it.",
                ],
            ),
        ],
    ),
    (
        RATIOS,
        [
            (
                "C",
                [
                    "The distance is not 40 km.",
                ],
            ),
        ],
    ),
    (
        PLACES,
        [
            (
                "A",
                [
                    "Answer: A/C",
                    "It could be A or B.",
                    "Answer: A B C",
                    "Answer: A, B",
                    "A and D",
                    "Either A or C.",
                    "\\boxed{A, C}",
                    "\\boxed{A or C}",
                    "ABCDE",
                    "The answer is (A) cellar or (B) attic.",
                    "cellar attic kitchen shed",
                    "The answer is cellar, attic, or shed.",
                    "Answer: A lot of rooms",
                    "Answer: None of these",
                    "It is (A), or perhaps (B).",
                    "The answer is not A.",
                    "A is wrong.",
                    "(A) is not correct.",
                    "The wrong answer is A.",
                    "Answer: A+B",
                    "Answer: A & B",
                    "A is tempting but I cannot tell.",
                    "<think>A</think>",
                    "<think>The answer is A.",
                ],
            ),
            ("E", ["Answer: E.g. a shed", "Answer: Every room", "Answer: I.e. the shed"]),
            ("D", ["Answer: Don't know", "Answer: Depends on the house", "DVD"]),
            ("C", ["Answer: Cannot tell", "Answer: D\n\nC is a common wrong answer."]),
        ],
    ),
    (FRACTIONS, [("A", ["The answer is 3.", "The answer is 1/6."]), ("E", ["The answer is 1/7"])]),
    (LENGTHS, [("A", ["The answer is 7 cm"])]),
]
