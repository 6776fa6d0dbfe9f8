"""Wordings of all kinds, each with its question where that counts: of each gold answer, completions that give it and
completions that do not."""

from __future__ import annotations

from reasoning.records import AnswerKind

# a kind and the settings of a task, the question, and of each gold answer the texts that are right and that are not
Wordings = tuple[AnswerKind, str, str, list[tuple[str, list[str], list[str]]]]

WORDINGS: list[Wordings] = [
    (
        AnswerKind.NUMBER,
        "",
        "",
        [
            (
                "52",
                [
                    "**52** rolls remain. (If he had sold 30, 42 would remain.)",
                    "So the final count is 52, which is 4 more than 48.",
                ],
                ["52 is what most students write, but that is wrong."],
            ),
            ("18", ["Twice 9 is 18."], []),
        ],
    ),
    (
        AnswerKind.CHOICE,
        "",
        "Where? Answer Choices: (A) store (B) ocean (C) hand (D) movie (E) tooth",
        [
            (
                "B",
                [
                    "Out of A, B, C, D and E, B is the most sensible.",
                    "(A) is a shop, (C) a body part, (D) a film, (E) a body part: (B).",
                ],
                ["Both (A) and (B) are possible.", "Anywhere but the ocean."],
            ),
            ("C", ["At first B seems right, but C is correct."], []),
        ],
    ),
    (AnswerKind.SET, "", "", [("cat, dog", ["They are: cat, dog."], ["cat", "cat, dog, cow"])]),
    (
        AnswerKind.NUMBER,
        "",
        "",
        [
            ("7", [], ["\\boxed{\\{7, 9\\}}", "\\boxed{7 \\le x \\le 9}", "\\boxed{7i}"]),
            ("0.333333", ["\\boxed{0.\\overline{3}}"], []),
            ("0.666667", ["\\boxed{0.\\dot{6}}"], []),
            ("1234", ["One thousand, two hundred and thirty-four."], []),
            ("0", ["She has none."], []),
            (
                "10",
                [],
                [
                    "The answer is 10..12",
                    "The answer is 10 ~ 12.",
                    "The answer is over 10.",
                    "The answer is under 10.",
                    "The answer is 10 | 12",
                ],
            ),
            (
                "12",
                [],
                [
                    "It could be 10, but it could also be 12.",
                    "\\boxed{10} or \\boxed{12}",
                    "\\boxed{10}, \\boxed{12}",
                    "\\boxed{10} and \\boxed{12}",
                    "1. 10\n2. 11\n3. 12",
                    "Priya has 33 stickers; Tom has 12.",
                ],
            ),
            (
                "14",
                ["The answer is 14, isn't it?", "The answer is none other than 14.", "It can't be anything but 14."],
                [
                    "~~The answer is 14.~~",
                    "Tom says the answer is 14, but Eve's 15 is right.",
                    "It is unlikely that the answer is 14.",
                    "The answer is unlikely to be 14.",
                    "Is the answer 14?",
                    "The problem has no solution, since 14 is odd... even.",
                ],
            ),
            ("15", ["The answer is 14, no, 15."], []),
            ("42", [], ["La respuesta es 42 o 43."]),
            ("33", ["Answer:\n- 33"], []),
            (
                "8",
                [],
                [
                    "the square root of 8",
                    "log 8",
                    "half of 8",
                    "twice 8",
                    "8 more than 10",
                    "8 less than 10",
                    "nowhere near 8",
                    "My friend says 8.",
                    "If she hadn't bought one, she would have 8.",
                    "The answer is not necessarily 8.",
                    "The answer is by no means 8.",
                    "The answer is hardly 8.",
                    "Wrong: 8",
                    "It is false that the answer is 8.",
                    "It's wrong to say that the answer is 8.",
                    "The answer differs from 8.",
                    "The answer is different from 8.",
                    "The answer is unequal to 8.",
                    "There's no reason to think the answer is 8.",
                    "Nothing suggests that the answer is 8.",
                    "I refuse to believe the answer is 8.",
                    "The answer is 8. That can't be right.",
                    "The answer is 8. No.",
                ],
            ),
            ("24", ["So we have 24. Let me know if you have 2 more questions!", "Step 1: 8*3=24\nStep 2: done"], []),
            ("9", ["The answer is 8. Hmm, I forgot one pack. 8 + 1 = 9.", "9, as opposed to 8"], []),
        ],
    ),
    (
        AnswerKind.YES_NO,
        "",
        "Is a whale bigger than a bus?",
        [
            (
                "no",
                [
                    "The answer is anything but yes.",
                    "Not in the slightest.",
                    "I would say not.",
                    "**No.** Whales are large, yes, but buses are larger.",
                ],
                ["Yes, but also no."],
            ),
            (
                "yes",
                ["Therefore, a whale is indeed bigger than a bus.", "Yes, and no bus is bigger."],
                ["Yes for blue whales, no for small ones."],
            ),
        ],
    ),
    (
        AnswerKind.YES_NO,
        "",
        "A coin is heads up. Jon flips it. Ada does not flip it. Is the coin still heads up?",
        [
            ("no", ["It ends tails up", "After one flip the coin shows tails."], []),
            ("yes", ["The coin is heads."], []),
        ],
    ),
    (
        AnswerKind.CHOICE,
        "",
        "What would you use to cut bread? Answer Choices: (A) knife (B) spoon (C) hammer (D) bread board (E) scissors",
        [
            ("E", ["E, final answer."], ["\\boxed{A} \\boxed{E}"]),
            ("A", [], ['{"answer": ["A", "E"]}', "It is unlikely that the answer is A."]),
        ],
    ),
    (
        AnswerKind.CHOICE,
        "",
        "Solve for x. Answer Choices: (A) 3/5 (B) 5/3 (C) 0.3 (D) -3/5 (E) 15",
        [
            ("A", [], ["x = \\pm\\frac{3}{5}"]),
        ],
    ),
    (
        AnswerKind.CHOICE,
        "",
        "Which day was a week ago? Answer Choices: (A) 12/24/2019 (B) 12/31/2019 (C) 01/07/2020 (D) 12/24/2020",
        [
            (
                "A",
                [
                    "The date one week ago was December 24, 2019.",
                    "December 24, 2019",
                    "24 December 2019",
                    "Dec 24th, 2019",
                    "2019-12-24",
                ],
                [],
            ),
            ("B", ["If today is 01/07/2020, one week ago is 12/31/2019."], []),
            ("C", ["January 7, 2020"], []),
        ],
    ),
    (
        AnswerKind.CHOICE,
        "",
        "Who does Claire dance with? Answer Choices: (A) Rodrigo (B) Sam (C) Patrick",
        [
            ("B", ["At the end, Alice dances with Rodrigo, Bob with Patrick, and Claire with Sam."], []),
        ],
    ),
    (
        AnswerKind.NUMBER,
        '{"relative": 0.01}',
        "",
        [
            ("1000000", [], ["over 1,000,000"]),
        ],
    ),
    (
        AnswerKind.DATE,
        "",
        "",
        [
            ("1999", ["1999 AD"], []),
            ("2020-02-29", ["the 29th of February in 2020"], ["Tom says it was February 29, 2020, but I am not sure."]),
        ],
    ),
    (
        AnswerKind.SET,
        "",
        "",
        [
            ("2, 3, 5, 7", ["two, three, five, seven", "The answer is 2, 3, 5, 7 (4 primes)."], []),
            (
                "apple, pear, plum",
                ["1) apple 2) pear 3) plum", "both apple and pear, as well as plum", "apple, pear, as well as plum"],
                [],
            ),
            ("-1, 1", ["\\boxed{\\pm 1}", "±1"], []),
            ("1000, 2", ["1,000 and 2"], []),
        ],
    ),
    (
        AnswerKind.TEXT,
        "",
        "",
        [
            (
                "aht",
                ["Ana -> a\nBloch -> h\nKurt -> t\n\naht", "Final answer: aht ✅", "$\\text{aht}$"],
                ['The answer is "aht" or "hat".'],
            ),
            (
                "Ada Lovelace",
                [
                    "Charles Babbage? No, Ada Lovelace.",
                    "The answer is Charles Babbage. Wait, no: Ada Lovelace.",
                    "The answer is Ada Lovelace ✅",
                ],
                ["It is not known whether it was Ada Lovelace."],
            ),
        ],
    ),
    (
        AnswerKind.NUMBER,
        '{"unit": "km"}',
        "",
        [
            ("12", ["12 000 metres", "7.45645 miles (12 km)"], ["12 km per day"]),
        ],
    ),
    (
        AnswerKind.NUMBER,
        '{"unit": "kg"}',
        "",
        [
            ("2", ["It weighs 2 kg, which is 4.4 lb."], ["2 tons"]),
        ],
    ),
    (
        AnswerKind.NUMBER,
        "",
        "",
        [
            ("7", ["There are 7 days left until the 15th.", "The remainder is 7, as 47 = 4 * 10 + 7."], []),
            (
                "8",
                ["He has 8 left because he ate 4 of 12.", "**8** (confidence: 90%)"],
                ["It is because 8 of 12 left."],
            ),
            (
                "24",
                ["So Mr. Lee will have to buy 24 pens to fill 8 boxes.", "We need 24, which we can check: 24 / 3 = 8."],
                ["The answer is 24%... hmm, no: 12%.", "I'd guess 24, but I really can't determine it from this."],
            ),
            ("18", ["The total is 18.\n\n(Note: there are 16 eggs a day.)"], []),
            ("17", ["He has 12 because he bought 5, so now there are 17."], []),
            ("1.5", ["It takes an hour and a half."], []),
            ("90", ["It takes an hour and a half (90 minutes)."], ["The answer is 90 hours, no, 9 hours."]),
            ("-3", [], ["x = 3 or x = -3"]),
            ("0.416667", ["The answer is five twelfths."], []),
        ],
    ),
    (
        AnswerKind.CHOICE,
        "",
        "Where is a seal? Answer Choices: (A) zoo (B) desert (C) envelope (D) Arctic Ocean (E) airport",
        [
            (
                "D",
                [
                    "A zoo is possible, but the most natural place is the Arctic Ocean.",
                    "While zoo (A) is plausible, the wild seal lives in the Arctic Ocean (D).",
                    "**D** — the ocean.",
                    "選択肢Dが正しい。",
                ],
                ["The Arctic Ocean is possible, but the most natural place is a zoo."],
            ),
        ],
    ),
    (
        AnswerKind.CHOICE,
        "",
        "What is left? Answer Choices: (A) 1/3 (B) 3/8 (C) 2/5 (D) 5/12",
        [("D", ["The fraction left is five twelfths."], ["The fraction left is two fifths."])],
    ),
    (
        AnswerKind.TEXT,
        "",
        "",
        [
            (
                "Marie Curie",
                ["Marie Curie (1867-1934)", "The scientist was Marie Curie, not Lise Meitner."],
                ["Lise Meitner, not Marie Curie", "It was not Marie Curie, not at all."],
            ),
        ],
    ),
]
