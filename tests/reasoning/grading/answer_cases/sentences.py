"""Numbers in whole sentences, beside others and with a decimal comma: completions that give each gold answer, and that
do not."""

from __future__ import annotations

from tests.reasoning.grading.answer_cases.numbers import Table

RIGHT: Table = [
    ("0.5", ["1/2, i.e. 0.5 or 50%", "It is 0.5 or 50%.", "It is 1/2, or 50%."]),
    ("0", ["None of them are left.", "So none of the rolls is left.", "None of the old rolls will be left."]),
    ("6", ["Let me count: 1, 2, 3, 4, 5, 6.", "1, 2, 3, 4, 5, 6", "2 rows, 3 columns: 6"]),
    ("25", ["He has 25 hens. If he had sold 30 instead, he would have 15.", "He now has 25, having sold 20."]),
    ("25", ["He sells 20, having 25 left.", "The answer is 30. Hmm, that doesn't look right. 45 - 20 = 25."]),
    ("25", ["The expected answer was 30, but I got 25.", "The answer is 30. Something is off. It is 25."]),
    ("-5", ["It is now minus 5 degrees.", "So it was then minus 5."]),
    ("5", ["12 minus 7 is 5.", "Suppose there are 7, then 12 - 7 = 5.", "12 + 7 is 19, minus 14 gives 5."]),
    ("200", ["### Answer:\n\n> 200 pages", "It has 35 + 165 = 200.", "35 are sold and 200 are left."]),
    ("38", ["Some students get 38 stickers.", "The students get 38."]),
    (
        "48",
        [
            *("Answer: The 8 benches seat 48 people in all.", "47? Too few. 48.", "47 is wrong, 48 is right."),
        ],
    ),
    (
        "6",
        [
            *("Answer: It takes 6 hours to make 42 toys.", "Answer: It will take 6 days to use 42 pills."),
            *("Answer: In 6 years, Ann will be 3 times as old as Bob.", "Answer: On 6 of the 9 days"),
            *("Giving away 3 leaves him with 6 marbles.", "The answer is 6. Some say 5. That is wrong."),
            *("Answer: 6 students have at least 2 pets", "Answer: It costs $6 for 4 tickets."),
        ],
    ),
    (
        "34",
        [
            "Answer: 14 rolls and 20 buns make 34 loaves.",
        ],
    ),
    (
        "14",
        [
            *("He has 14 loaves left over after selling 6 of the 20.", "14 loaves, 2 of which are burnt"),
        ],
    ),
    (
        "60",
        [
            "Answer: 5 trays of 12 loaves each give 60 loaves.",
            "Answer: 5 trays hold 12 loaves each, so there are 60 loaves.",
            "Answer: 80 loaves minus 20 burnt loaves leaves 60.",
            "Answer: Within 5 hours he bakes 60 loaves.",
            *("Answer: On 5 trays there are 60 loaves in total.", "Answer: With 5 trays, 60 loaves."),
            *("Answer: Half of 120 is 60.", "Answer: 25% of 240 loaves is 60 loaves."),
        ],
    ),
    (
        "0.75",
        [
            *("0,75", "Die Lösung lautet 0,75.", "0,75 kg", "\\boxed{0,75}", "0,750", "3 out of 4"),
        ],
    ),
    (
        "1250.75",
        [
            *("1.250,75", "1 250,75 €", "Le total est de 1 250,75 euros.", "1250,75", "€ 1.250,75"),
            "1.250,75 Euro insgesamt",
        ],
    ),
    (
        "4500",
        [
            *("4.500,00", "R$ 4.500,00", "4500,0"),
        ],
    ),
    (
        "4.5",
        [
            *("4,5", "So 4,5 loaves.", "Il reste 4,5 litres.", "-> 4,5 kg"),
            *("It takes 4 hours and 30 minutes.", "The answer is 4 feet and 6 inches."),
        ],
    ),
    (
        "31",
        [
            "The answer is 31.\n\nQuestion 2. A man has 2 dogs. How many? The answer is 2.",
            "The answer is 31.\n\n3) A man has 2 dogs. How many legs? The answer is 8.",
            "\\boxed{31}\n\nProblem 5. Compute 1+1. \\boxed{2}",
            "The answer is 31.\n\nTask 3\nA man has 2 dogs. The answer is 2.",
            "The answer is 31.\n\n[Question]\nWhat is 1+1?\n[Answer]\n2",
            "The answer is 31.\n\nHere is another question: What is 1+1? The answer is 2.",
            "The answer is 31.\n\nQuiz: What is 1+1? The answer is 2.",
            *("The answer is 31.\n\nTest 2. What is 1+1? The answer is 2.", "<output>31</output>"),
            *("<strong>31</strong>", "<answer><b>31</b></answer>", "<unused94>thought\n30<unused95>31"),
        ],
    ),
    (
        "3.2",
        [
            *("3 dollars and 20 cents", "3 euros and 20 cents", "3,20 €", "3 dollars, 20 cents"),
        ],
    ),
    (
        "2.5",
        [
            *("2 hours and 30 minutes", "2 hours 30 minutes", "2 h 30 min", "2 hrs and 30 mins"),
        ],
    ),
    (
        "58",
        [
            *("The answer is: $58^{\\text{th}}$", "58. (57 would be wrong.)"),
            "The answer is 58.\n\nExercise 2. Bob has 3 pens. The answer is 3.",
            "The answer is 58.\n\nProblem 2\nBob has 3 pens. How many? The answer is 3.",
            "The answer is 58.\n\n2. What is 2+2? The answer is 4.",
            "The answer is 58.\n\nPuzzle 2. What is 2+2? The answer is 4.",
            *("The answer is 58.\n\nQ2. What is 2+2? The answer is 4.", "<result>58</result>"),
            *("<solution>58</solution>", "<b>58</b>", "Thus the answer is: <b>58</b>"),
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
            *("1.234,50 €", "The answer is 1.234,5.", "1.234,5", "The answer is €1.234,50"),
            *("Insgesamt sind es 1.234,50 Euro.", "1 234,5", "1234,5", "The total is 1234,50 €."),
        ],
    ),
    (
        "12000",
        [
            *("12.000,00", "The answer is 12.000,00 EUR", "She earns 12.000,00 €.", "12000,00", "12,000"),
            *("The answer is 12,000.", "12 000 €", "12,000.00"),
        ],
    ),
    (
        "3.5",
        [
            *("3,5", "The answer is 3,5.", "Answer: 3,50", "\\boxed{3,5}", "Es sind 3,5 Liter.", "3,5 kg"),
            *("So she needs 3,5 litres.", "-> 3,5"),
        ],
    ),
    (
        "2.75",
        [
            *("2,75", "Die Antwort ist 2,75.", "Es bleiben 2,75 Meter übrig."),
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
            *("Answer: In 3 hours she packs 36 crates.", "Answer: After 2 days there are 36 left."),
            "Answer: The 2 friends have 36 marbles altogether.",
            *("Answer: 12 a day for 3 days comes to 36.", "Answer: 5 rows of 8 is 40, minus 4 is 36."),
            "Answer: 6 packs at 6 each, giving 36 in total.",
            "Answer: From 40, 4 are taken, so 36 remain.",
        ],
    ),
    (
        "12.5",
        [
            *("12 dollars and 50 cents", "12,50 €", "€12,50"),
        ],
    ),
    (
        "8",
        [
            *("5 apples and 3 pears make 8 pieces of fruit.", "5 apples and 3 pears. The total is 8."),
            "She has 5 apples and 3 pears, so the answer is 8.",
            "Ann has 5 and Bea has 3. Together they have 8.",
        ],
    ),
    (
        "5",
        [
            *("5 apples in 2 baskets", "There were 8 apples and 3 pears; 5 apples are left."),
            "The answer is 5, not 3.",
        ],
    ),
    (
        "270",
        [
            *("The answer is 4 hours and 30 minutes.", "She walks for 4 hours and 30 minutes."),
        ],
    ),
]

WRONG: Table = [
    ("3", ["5, 4, 3", "It is 5, 4, 3.", "$5,4,3$"]),
    ("7", ["5, 7", "[5, 7]", "3, 5, 7"]),
    ("3000", ["1,000, 2,000, 3,000"]),
    (
        "200",
        [
            "200+",
            "200+ pages",
            "The answer is 200+.",
            "Answer: 200+ pages",
            "Suppose the book had 200 pages.",
            "Assume it is 200",
            "Had she read on, it would be 200.",
        ],
    ),
    ("15", ["He has 25 hens. If he had sold 30, he would have 15.", "If he had sold 30, he would have 15."]),
    (
        "30",
        ["If he had sold 30, he would have 15.", "The answer is 30. Hmm, that doesn't add up. 45 - 20 = 25.", "!= 30"],
    ),
    ("65", ["35% are taken and 65% are free.", "35 are red and 65 are blue."]),
    ("5", ["It is now minus 5 degrees.", "It was then about minus 5."]),
    ("38", ["Some students get 38.", "Careless people write 38.", "Most students would put 38, but it is 35."]),
    (
        "48",
        [
            *("48 is out of the question.", "I would not say 48.", "The answer used to be 48.", "Is it 48? No."),
            *("48 seems too high.", "48, which is wrong.", "If it were 48, it would fit.", "It might be 48 or not."),
        ],
    ),
    ("9", ["one is 17 and the other is 9"]),
    ("6", ["Answer: 6 people make 42 toys.", "The answer is 6. That is wrong."]),
    (
        "14",
        [
            *("The answer is 14 rolls plus 20 buns.", "The answer is 14 on Monday and 20 on Tuesday."),
        ],
    ),
    (
        "20",
        [
            *("14 rolls and 20 buns", "There are 14 rolls and 20 buns."),
            *("He bakes 6 tarts, 14 rolls and 20 buns.", "14 men, 20 women"),
            *("Anna sold 14 and Boris sold 20.", "a = 14, b = 20", "14 and 20, respectively"),
            *("3 dollars and 20 cents", "3,20 €", "$3 and 20 cents"),
        ],
    ),
    (
        "5",
        [
            *("Answer: 5 trays of 12 loaves each give 60 loaves.", "Answer: 5 trays hold 60 loaves."),
            *("Answer: On 5 trays there are 60 loaves in total.", "Answer: 5 bakers need 10 ovens."),
            *("Answer: Within 5 hours he bakes 60 loaves.", "3,5", "3,5 kg", "0,5", "Es sind 3,5 Liter."),
            *("The answer is 5 apples and 3 pears.", "3 pears and 5 apples", "between 4 and 5"),
            *("The answer is 5 hours and 20 minutes.", "x=3, y=5", "The answer is 5 for Ann and 3 for Bea."),
            *("* 5\n* 3", "5\n3"),
        ],
    ),
    (
        "75",
        [
            *("0,75", "0,75 kg", "Das sind 0,75 Liter."),
        ],
    ),
    (
        "31",
        [
            *("Any number but 31.", "31 is too few.", "It would have been 31 if nobody had come."),
            *("I doubt it is 31.", "31 loaves? That's wrong.", "The answer is 31. That is not correct."),
            *("L'answer n'est pas 31.", "Die Antwort ist nicht 31.", "They wonder whether it is 31."),
            *("The answer would be 31 if all sold.", "31 cannot be the answer.", "31 can't be right."),
            *("31 was my first guess, but it's wrong.", "Not quite 31.", "\\boxed{31a}", "\\boxed{31 - k}"),
            *("31b", "31 March", "on the 31st of March"),
        ],
    ),
    (
        "25",
        [
            *("25 hundred", "25k", "25 thousand", "√25", "25 squared"),
        ],
    ),
    (
        "30",
        [
            *("2 hours and 30 minutes", "2 hours 30 minutes", "2 h 30 min"),
        ],
    ),
    (
        "58",
        [
            *("\\boxed{58 + y}", "\\boxed{58!}", "答案不是58。", "La respuesta no es 58.", "Ответ: 58 или 59"),
            *("The answer is anything but 58.", "58 is too high.", "The answer is 58. That's incorrect."),
            *("It would be 58 if she worked Sundays.", "nobody knows whether it is 58"),
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
            *("no. 7b", "7 hundred", "7th of May"),
        ],
    ),
    (
        "12",
        [
            *("12 thousand dollars", "12,000", "The answer is 12,000.", "12 000"),
        ],
    ),
    (
        "50",
        [
            *("12 dollars and 50 cents", "12,50 €", "€12,50"),
        ],
    ),
    (
        "3",
        [
            *("5 apples and 3 pears", "5 boys, 4 girls and 3 adults", "Alice has 5, Bob has 3."),
            *("Tom gets 5 and Sue gets 3.", "(5,3)", "The answer is (3,5).", "She has 5 apples and 3 pears."),
            "x = 5, y = 3",
        ],
    ),
    (
        "35",
        [
            *("3,5", "The answer is 3,5.", "3,5,7"),
        ],
    ),
    (
        "3.5",
        [
            *("(3,5)", "3,5,7", "The answer is 3, 5.", "3 and 5"),
        ],
    ),
]
