"""Options that are chosen, denied and left over, by letter, text, value and number: completions that give each gold
answer, and that do not."""

from __future__ import annotations

from tests.reasoning.grading.answer_cases.numbers import Table

RIGHT: list[tuple[tuple[str, ...], Table]] = [
    (
        ("bathroom", "garage", "office", "stable"),
        [
            (
                "A",
                [
                    *(
                        "A makes the most sense.",
                        "Everything but A is wrong.",
                        "A wins.",
                        "A for sure.",
                        "Most likely A.",
                    ),
                    *("A rather than C.", "A most likely.", "A, probably.", "Only A makes sense.", "B loses, A wins."),
                ],
            ),
        ],
    ),
    (
        ("20%", "25%", "10%", "12.5%", "125%"),
        [("B", ["50/40 = 1.25, which is an increase of 25 percent.", "25 per cent", "a rise of 25%"])],
    ),
    (
        ("02/28/2020", "02/29/2020", "03/02/2020", "02/30/2020"),  # the last is no date
        [
            (
                "B",
                [
                    "February 29, 2020",
                    "2020-02-29",
                    "Not 02/28/2020 but 02/29/2020.",
                    "It was Feb 29th 2020 (a leap day).",
                ],
            )
        ],
    ),
    (
        ("garage", "bedroom", "river", "oven", "roof"),
        [
            (
                "B",
                [
                    *("One might pick (A), but (B) is better.", "Some would choose (C), yet (B) is right."),
                    *("Between A and B, B is the better choice.", "None of them fits well, but B comes closest."),
                    *("Not the garage but the bedroom.", "It is not the river but the bedroom"),
                    *("B is closest.", "| A | no |\n| B | yes |\n| C | no |\n| D | no |\n| E | no |"),
                    *("B. Hope this helps!", "B\n\nWould you like me to explain why A is wrong?"),
                ],
            ),
        ],
    ),
    (
        ("apple pie", "a knife", "the kitchen drawer", "Paris", "none of these"),
        [
            (
                "B",
                [
                    *("<think>The answer is A.</think>\n\nB", "B", "(b)", "Option B is correct."),
                    *("It is not A, so the answer is B.", "rules out A, leaving B"),
                    *("Answer: It is not A, the answer is B", "The answer is B, not A."),
                    *("The answer is B because a car moves.",),
                    *("The answer is B. Note that A is a common distractor.", "I'd go with B.", "My pick: B"),
                    *("Choose (B).", "The best choice is **B) a knife**", "B is the only option that fits."),
                    *("A, C, D and E are all wrong.", "All options except B are wrong.", "a knife", "A knife."),
                    *("knife", "You'd cut it with a knife.", "Answer: B: a knife", "\\boxed{\\text{B}}"),
                    *("\\boxed{B. \\text{a knife}}", "<answer>B</answer>", '{"answer": "B"}', '{"choice": "B"}'),
                    *("```\nB\n```", "the second option", "Option 2"),
                    *("(A) apple pie is food. (B) a knife cuts. (C) is a place. Therefore (B).", "答案：B", "选B"),
                    *("Правильный ответ: B", "La bonne réponse est B."),
                ],
            ),
            (
                "C",
                [
                    *("The answer is C because I computed it.", "in the kitchen drawer"),
                    *("The answer is kitchen drawer.",),
                ],
            ),
            ("D", ["paris", "It's Paris, so D.", "B? No. D."]),
            ("E", ["None of the above", "none of these options", "None."]),
            ("A", ["**A**", "A. apple pie\nB. a knife\nC. the kitchen drawer\n\nThe right one is A."]),
        ],
    ),
    (
        ("12", "15", "18", "21", "24"),
        [
            (
                "C",
                [
                    *("18", "The answer is 18.", "18 dollars, which is (C).", "x = 18, option C", "\\boxed{18}"),
                    *("15 + 3 = 18",),
                ],
            ),
            ("B", ["The answer is (B) 15, not (C) 18."]),
        ],
    ),
    (
        ("river", "mountain", "desert", "glacier", "ocean"),
        [
            (
                "C",
                [
                    *("<think>A or B? The answer is B.</think> C", "the third one", "3rd option", "third choice"),
                    *("Option (c) - desert", "Ⓒ", "Ｃ", "选项C", "正确答案是C。", "Die richtige Antwort ist C."),
                    *("La respuesta correcta es la C.", "정답: C", "답은 C입니다", '{"answer":"c"}'),
                    *('{"option": "C", "text": "desert"}', "\\boxed{C}", "\\boxed{(C)}", "\\boxed{\\text{desert}}"),
                    *("\\boxed{\\mathrm{C}}", "$C$", "`C`", "'C'", "C\n\nC is a dry place."),
                    *("C. desert\n\nExplanation: A. river is wet.", "Answer: C\n\nWhy not A? Rivers are wet."),
                    *("The answer is C<|im_end|>", "My answer: C (desert). Confidence: A+", "Answer C", "Choose C"),
                    *("C it is.", "Going with C.", "Letter C"),
                ],
            ),
            (
                "B",
                [
                    *("B) mountain", "**B. mountain**", "b.", "[B]", "{B}", "<B>", "Answer - B", "ANS: B"),
                    *("The most suitable is B", "I choose option b", "So it must be B!", "Thus B."),
                    *("...which leaves us with B", "B is correct; A and C are not."),
                    *("It has to be B, since a river flows.", "Between A and B, B is better."),
                    *("I was torn between A and B but settled on B.", "Not A, C, D or E; hence B."),
                    *("A? No. C? No. B? Yes.", "A: wrong. B: right. C: wrong. D: wrong. E: wrong.", "A ❌ B ✅ C ❌"),
                    *("I'd say mountain", "mountain (B)", "The answer is mountain, option B.", "The mountains"),
                    *("It's a mountain.",),
                ],
            ),
            ("D", ["A glacier, obviously."]),
            (
                "E",
                [
                    *("The ocean (E), not the river (A).", "A is tempting, yet E is the answer."),
                    *("Many pick A, but E is right.", "the last option"),
                ],
            ),
            ("A", ["the first option"]),
        ],
    ),
    (
        ("whale", "penguin", "bat", "all of the above", "none of the above"),
        [
            ("D", ["All of these.", "All of them are mammals, so all of the above."]),
            ("E", ["None of them."]),
        ],
    ),
    (
        ("$4.50", "$5", "40%", "1/3", "2 hours"),
        [
            ("A", ["4.5 dollars", "The price is $4.5"]),
            ("C", ["0.4", "forty percent"]),
            ("D", ["one third", "\\frac{1}{3}", "0.333"]),
            ("E", ["2 hrs"]),
            ("B", ["five dollars", "$5.00", "$4.50 + $0.50 = $5"]),
        ],
    ),
    (
        ("hospital", "library", "post office", "airport", "theater"),
        [
            (
                "B",
                [
                    *("The correct option is (B).", "Correct answer: B (library)", "B — library", "library."),
                    *("at the library", "People borrow books in a library, so the answer is B."),
                    *("You borrow books from a library.",),
                    *("A hospital is for the sick; books are borrowed at the library.",),
                    *("Not hospital, but library.", "Definitely the library, not the theater."),
                    *("A. hospital - no\nB. library - yes\nC. post office - no",),
                    *("(B)\n(Not A because hospitals lend nothing.)", "<answer>(B) library</answer>"),
                    *('{"answer": "library"}', "Answer: \\textbf{B}", "**Option B: Library**"),
                    *("Eliminate A, C, D, and E. The remaining option is B.", "B, as books are there."),
                    *("I'd pick the second choice.", "b) library", "B\n\nC. post office is for letters"),
                ],
            ),
            (
                "C",
                [
                    *("Probably C, though D is possible.", "The answer isn't D but C."),
                    *("D is wrong because planes don't carry letters. C is right.", "Hmm, D... no, C."),
                    *("My first thought was D, however C is correct.", "The answer is not A, B, D, or E."),
                    *("None of A, B, D or E works, so C.", "C is the best answer.", "It's C.", "C ✓"),
                    *("(C) is the correct answer because stamps are sold at the post office.",),
                ],
            ),
            ("A", ["A", "The answer is A.", "Because a doctor works there: A."]),
        ],
    ),
    (
        ("3:2", "20 km/h", "1,500", "0.75", "12 days"),
        [
            ("A", ["3 to 2", "The ratio is 3:2."]),
            ("B", ["20"]),
            ("C", ["1500", "fifteen hundred"]),
            ("D", ["3/4", "75%"]),
            ("E", ["It takes 12 days.", "twelve days", "x = 12"]),
        ],
    ),
]
WRONG: list[tuple[tuple[str, ...], Table]] = [
    (
        ("bathroom", "garage", "office"),
        [("A", ["A rather nice place.", "A likely place is here.", "A winner!", "Not A for sure."])],
    ),
    (("20%", "25%", "125%"), [("C", ["50/40 = 1.25, which is an increase of 25 percent."])]),
    (("02/28/2020", "02/29/2020", "02/30/2020"), [("C", ["February 30, 2019", "2020-02-29"])]),
    (
        ("garage", "bedroom", "river", "oven", "roof"),
        [
            (
                "A",
                [
                    "Not the garage but the bedroom.",
                    "One might pick (A), but (B) is better.",
                    "| A | no |\n| B | yes |\n| C | no |",
                    "One may say (A).",
                ],
            ),
        ],
    ),
    (
        ("apple pie", "a knife", "the kitchen drawer", "Paris", "none of these"),
        [
            (
                "A",
                [
                    *("rules out A, leaving B", "The answer is B, not A.", "A is wrong.", "Not A.", "A or B"),
                    *("Both A and B", "A and B are both correct.", "It could be A. It could be B."),
                    *("I think it's a tough question.", "A good question!", "apple pie or a knife"),
                    *("The answer is B or C",),
                ],
            ),
            ("B", ["B? No. D.", "B > A"]),
        ],
    ),
    (
        ("12", "15", "18", "21", "24"),
        [
            ("A", ["The answer is 1.", "The answer is 18, so A."]),
        ],
    ),
    (
        ("river", "mountain", "desert", "glacier", "ocean"),
        [
            (
                "A",
                [
                    *("Between A and B, B is better.", "A ❌ B ✅ C ❌", "The ocean (E), not the river (A)."),
                    *("river or ocean", "Either (A) or (E).", "A, E", "A&E", "A/E", "A; E", "AE", "(A)(E)"),
                    *("Options A and E could both be right.", "I don't know whether it's A or E."),
                    *("A is tempting, yet E is the answer.", "Many pick A, but E is right.", "Some would choose A."),
                    *("It's not A.", "A can be eliminated.", "Anything but A.", "A lot of water!"),
                    *("As a result, no option fits.", "I am unsure."),
                ],
            ),
        ],
    ),
    (
        ("whale", "penguin", "bat", "all of the above", "none of the above"),
        [
            ("A", ["whale and bat"]),
        ],
    ),
    (
        ("$4.50", "$5", "40%", "1/3", "2 hours"),
        [
            ("A", ["$5"]),
        ],
    ),
    (
        ("hospital", "library", "post office", "airport", "theater"),
        [
            ("A", ["You borrow books from a library.", "A doctor works there.", "I", "E or A"]),
            ("E", ["Definitely the library, not the theater."]),
            ("C", ["B? C?", "C or D, I can't tell.", "Options C and D both fit."]),
            (
                "D",
                [
                    *("Probably C, though D is possible.", "The answer isn't D but C."),
                    *("My first thought was D, however C is correct.",),
                ],
            ),
        ],
    ),
]
