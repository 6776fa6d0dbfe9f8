"""Numbers in whole sentences, beside others and with a decimal comma: completions that give each gold answer, and that
do not."""

from __future__ import annotations

from tests.reasoning.grading.answer_cases.numbers import Table

RIGHT: Table = [
    (
        "58",
        [
            "The answer is: $58^{\\text{th}}$",
            "58. (57 would be wrong.)",
            "The answer is 58.\n\nExercise 2. Bob has 3 pens. The answer is 3.",
            "The answer is 58.\n\nProblem 2\nBob has 3 pens. How many? The answer is 3.",
            "The answer is 58.\n\n2. What is 2+2? The answer is 4.",
            "The answer is 58.\n\nPuzzle 2. What is 2+2? The answer is 4.",
            "The answer is 58.\n\nQ2. What is 2+2? The answer is 4.",
            "<result>58</result>",
            "<solution>58</solution>",
            "<b>58</b>",
            "Thus the answer is: <b>58</b>",
        ],
    ),
    (
        "0.4",
        [
            "\\boxed{0{,}4}",
        ],
    ),
    (
        "1234.5",
        [
            "1.234,50 €",
            "The answer is 1.234,5.",
            "1.234,5",
            "The answer is €1.234,50",
            "Insgesamt sind es 1.234,50 Euro.",
            "1 234,5",
            "1234,5",
            "The total is 1234,50 €.",
        ],
    ),
    (
        "12000",
        [
            "12.000,00",
            "The answer is 12.000,00 EUR",
            "She earns 12.000,00 €.",
            "12000,00",
            "12,000",
            "The answer is 12,000.",
            "12 000 €",
            "12,000.00",
        ],
    ),
    (
        "3.5",
        [
            "3,5",
            "The answer is 3,5.",
            "Answer: 3,50",
            "\\boxed{3,5}",
            "Es sind 3,5 Liter.",
            "3,5 kg",
            "So she needs 3,5 litres.",
            "-> 3,5",
        ],
    ),
    (
        "2.75",
        [
            "2,75",
            "Die Antwort ist 2,75.",
            "Es bleiben 2,75 Meter übrig.",
        ],
    ),
    (
        "36",
        [
            "Answer: 3 trays of 12 eggs each make 36 eggs.",
            "Answer: 4 boxes with 9 pens in each hold 36 pens.",
            "Answer: 40 pens less 4 pens leaves 36 pens.",
            "Answer: Each of the 6 children gets 6 sweets, so 36 sweets are needed.",
            "Answer: 3 teams of 12 players is 36 players.",
            "The answer is that 9 cars with 4 wheels each have 36 wheels.",
            "Answer: In 3 hours she packs 36 crates.",
            "Answer: After 2 days there are 36 left.",
            "Answer: The 2 friends have 36 marbles altogether.",
            "Answer: 12 a day for 3 days comes to 36.",
            "Answer: 5 rows of 8 is 40, minus 4 is 36.",
            "Answer: 6 packs at 6 each, giving 36 in total.",
            "Answer: From 40, 4 are taken, so 36 remain.",
        ],
    ),
    (
        "0.75",
        [
            "0,75",
            "3 out of 4",
        ],
    ),
    (
        "12.5",
        [
            "12 dollars and 50 cents",
            "12,50 €",
            "€12,50",
        ],
    ),
    (
        "8",
        [
            "5 apples and 3 pears make 8 pieces of fruit.",
            "5 apples and 3 pears. The total is 8.",
            "She has 5 apples and 3 pears, so the answer is 8.",
            "Ann has 5 and Bea has 3. Together they have 8.",
        ],
    ),
    (
        "5",
        [
            "5 apples in 2 baskets",
            "There were 8 apples and 3 pears; 5 apples are left.",
            "The answer is 5, not 3.",
        ],
    ),
    (
        "4.5",
        [
            "It takes 4 hours and 30 minutes.",
            "The answer is 4 feet and 6 inches.",
        ],
    ),
    (
        "270",
        [
            "The answer is 4 hours and 30 minutes.",
            "She walks for 4 hours and 30 minutes.",
        ],
    ),
]

WRONG: Table = [
    (
        "58",
        [
            "\\boxed{58 + y}",
            "\\boxed{58!}",
            "答案不是58。",
            "La respuesta no es 58.",
            "Ответ: 58 или 59",
            "The answer is anything but 58.",
            "58 is too high.",
            "The answer is 58. That's incorrect.",
            "It would be 58 if she worked Sundays.",
            "nobody knows whether it is 58",
        ],
    ),
    (
        "5",
        [
            "3,5",
            "3,5 kg",
            "0,5",
            "Es sind 3,5 Liter.",
            "The answer is 5 apples and 3 pears.",
            "3 pears and 5 apples",
            "between 4 and 5",
            "The answer is 5 hours and 20 minutes.",
            "x=3, y=5",
            "The answer is 5 for Ann and 3 for Bea.",
            "* 5\n* 3",
            "5\n3",
        ],
    ),
    (
        "4",
        [
            "Answer: 4 boxes of 9 pens each make 36 pens.",
            "Answer: 4 boxes with 9 pens in each hold 36 pens.",
            "The answer is that 4 cars need 16 wheels.",
            "The answer is 58.\n\nExercise 2. What is 2+2? The answer is 4.",
        ],
    ),
    (
        "7",
        [
            "no. 7b",
            "7 hundred",
            "7th of May",
        ],
    ),
    (
        "12",
        [
            "12 thousand dollars",
            "12,000",
            "The answer is 12,000.",
            "12 000",
        ],
    ),
    (
        "50",
        [
            "12 dollars and 50 cents",
            "12,50 €",
            "€12,50",
        ],
    ),
    (
        "3",
        [
            "5 apples and 3 pears",
            "5 boys, 4 girls and 3 adults",
            "Alice has 5, Bob has 3.",
            "Tom gets 5 and Sue gets 3.",
            "(5,3)",
            "The answer is (3,5).",
            "She has 5 apples and 3 pears.",
            "x = 5, y = 3",
        ],
    ),
    (
        "35",
        [
            "3,5",
            "The answer is 3,5.",
            "3,5,7",
        ],
    ),
    (
        "3.5",
        [
            "(3,5)",
            "3,5,7",
            "The answer is 3, 5.",
            "3 and 5",
        ],
    ),
]
