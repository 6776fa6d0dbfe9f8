"""Numbers that are denied, claimed by others, taken back, or stand beside others: completions that give each gold
answer, and that do not."""

from __future__ import annotations

from tests.reasoning.grading.answer_cases.numbers import Table

RIGHT: Table = [
    ("24", ["The answer is 42? No, that's too large. The answer is 24."]),
    (
        "40",
        [
            *("Many students would say 42, but this forgets the two broken ones. The answer is 40.",),
            *("Many students would answer 42, but that forgets the broken ones; it is 40.",),
        ],
    ),
    (
        "38",
        [
            *("One might be tempted to say 42. In fact there are 38.", "While 42 looks right, it is 38."),
            *("Rather than 42, the total is 38.", "The total is 38 instead of 42."),
            *("The total is 38 (and not 42 as some claim).", "The answer isn't 42, it's 38."),
            *("My first answer of 42 was wrong. The correct one is 38.",),
            *("Correction: the answer should be 38, I miscounted.\n",),
            *("The answer is 42.\n\nCorrection: the answer is 38.",),
            *("The answer is 42. Oops, I made an arithmetic mistake: 40 - 2 = 38.",),
            *("42... hold on, I forgot the discount, so 38.",),
        ],
    ),
    (
        "36",
        [
            *("The answer key says 42, but the key is mistaken; the real value is 36.", "36 inches (3 feet)"),
            *("4 apples each for 9 kids: 36 apples", "9 kids with 4 apples each have 36 apples"),
        ],
    ),
    (
        "44",
        [
            *("An incorrect answer would be 42, the correct answer is 44.", "Incorrect: 42. Correct: 44."),
            *("~~42~~ 44", "<del>42</del> <ins>44</ins>", "\\cancel{42} 44"),
            *("~~The answer is 42.~~\n\nThe answer is 44.",),
        ],
    ),
    (
        "7",
        [
            *("Either 5 or 7; since it must be greater than 6, it is 7.",),
            *("It is 5 or 7. As 5 is odd-placed, it cannot be 5, so the answer is 7.",),
            *("\\boxed{5}\n\nFinal answer: \\boxed{7}", "The possible values are 5 and 7, whose larger is 7."),
        ],
    ),
    (
        "5",
        [
            *("x = 5 or x = -5; lengths are positive, so x = 5.",),
            *("x = 5 or x = -5, but we reject the negative root. The answer is 5.", "5 and 5"),
            *("\\boxed{5}\n\nFinal answer: \\boxed{5}",),
        ],
    ),
    (
        "12",
        [
            *("There are 12 eggs, i.e. a dozen.", "A dozen (12).", "twelve (12)"),
            *("The number of students who did not pass is 12.", "There are 12 students who don't play chess."),
            *("So, 12 of the seats are not taken.", "12 people have never been there."),
            *("It takes no more than 12 minutes.", "Without the 3 broken ones there are 12.", "She needs 12 more."),
            *("He is 12 years old now.", "Since none were lost, he still has 12."),
            *("Nothing was added, so it stays at 12.", "They don't need any others: 12 are enough."),
        ],
    ),
    ("90", ["1.5 hours (90 minutes)"]),
    ("1.5", ["1.5 hours (90 minutes)"]),
    ("0.25", ["1/4 (0.25)"]),
    ("25", ["1/4 = 25%"]),
    (
        "26",
        [
            *("There are 17 ducks and 9 geese, 26 birds in all.", "17 ducks + 9 geese = 26 birds"),
            *("Ducks: 17\nGeese: 9\nTotal: 26",),
            *("| bird | count |\n|---|---|\n| ducks | 17 |\n| geese | 9 |\n| **total** | **26** |",),
        ],
    ),
    (
        "48",
        [
            *("I got 60 at first, which was a mistake; it is 48.",),
            *("Although 60 seems plausible, the right count is 48.",),
            *("You may think the answer is 60. It isn't. It's 48.",),
            *("A careless reader would get 60, the careful one 48.", "x = 60 is extraneous, so x = 48."),
            *("x = 60 (rejected) or x = 48", "The answer: 48 (not 60!)", "Not 60 — 48."),
            *("It should have been 48, not 60.", "Final answer: 48, contrary to the 60 I gave earlier."),
            *("Answer: 60\n\nWait, I need to subtract the 12 broken ones.\n\nAnswer: 48",),
            *("The answer is 60... no, scratch that, 48.", "Let me correct myself: the answer is 48."),
            *("I previously said 60, but on review it's 48.", "Tom claims it's 60; he is wrong, it's 48."),
            *("If nobody had left it would be 60, but 12 left, so it is 48.", "60 fails the check, 48 passes."),
        ],
    ),
    ("60", ["nearly 60"]),
    ("14", ["Anna: 6 cookies, Ben: 8 cookies, total: 14", "Anna has 6, Ben has 8, so together 14."]),
    ("6", ["6 = six", "VI (6)", "6, that is, half a dozen", "6.0, i.e. 6"]),
    ("0.5", ["0.5 or 1/2", "1/2, which is 50%"]),
    ("50", ["1/2, or 50%"]),
    ("120", ["2 minutes = 120 seconds"]),
    ("2", ["120 seconds, or 2 minutes"]),
    ("3", ["36 inches (3 feet)"]),
    ("1500", ["1.5 km, i.e. 1500 m"]),
    ("8", ["6 is too few and 10 too many; 8 is right.", "First I thought 6, then 10, finally 8."]),
    (
        "42",
        [
            *("Forget 35; the tax makes it 42.", "I was wrong to say 35. It is 42."),
            *("35 was my initial guess, but the total is 42.",),
            *("It's tempting to answer 35, but the correct total is 42.", "Previously: 35. Corrected: 42."),
            *("Old answer: 35\nNew answer: 42", "**Correction:** 42, not 35.", "Answer: ~~35~~ **42**"),
            *("35 → no, 42", "Is it 35? No, because of the tax. It is 42.", "35 can be ruled out, leaving 42."),
            *("She doesn't have 35 left, she has 42.", "Some might argue for 35, yet 42 is what the data shows."),
            *("If we ignored the tax we'd get 35; with it we get 42.",),
        ],
    ),
    (
        "4",
        [
            *("4 or 9? I'd say 4.", "4 (four), not 9.", "4 apples each for 9 kids", "36/9 = 4 each"),
            *("Each of the 9 kids gets 4.", "Every kid (all 9 of them) gets 4 apples.", "4 apples per kid"),
        ],
    ),
    ("9", ["x is 4 or 9; only 9 is odd, so 9."]),
    ("13", ["Mom: 4\nDad: 9\nSum: 13", "4 from Mom and 9 from Dad make 13.", "That's 4 plus 9, i.e. 13."]),
    ("4.5", ["between 4 and 5, namely 4.5"]),
    ("16", ["4^2 = 16"]),
]
WRONG: Table = [
    (
        "42",
        [
            *("It can't be 42, so I don't know.", "The total is definitely not 42."),
            *("We get 42, which is incorrect.", "Answer: 42 (incorrect)"),
            *("The answer is 42? No, that's too large. The answer is 24.",),
            *("Many students would say 42, but this forgets the two broken ones. The answer is 40.",),
            *("A typical mistake is to answer 42.", "The trap answer here is 42."),
            *("One might be tempted to say 42.", "Rather than 42, the total is 38."),
            *("The total is 38 instead of 42.", "The total is 38 (and not 42 as some claim).", "It isn't 42."),
            *("The answer isn't 42, it's 38.", "My first answer of 42 was wrong. The correct one is 38."),
            *("The answer is 42.\n\nCorrection: the answer is 38.",),
            *("The answer is 42. Oops, I made an arithmetic mistake: 40 - 2 = 38.",),
            *("42... hold on, I forgot the discount, so 38.", "I doubt that the answer is 42."),
            *("The answer was supposed to be 42 but that is impossible.", "42 is not the answer."),
            *("42 would be wrong.", "So 42 is ruled out."),
            *("The answer key says 42, but the key is mistaken; the real value is 36.", "Neither 40 nor 42 works."),
            *("No, not 42!", "It's anything but 42.", "Anyone who answers 42 has forgotten Tom."),
            *("If you answered 42, you forgot to subtract.",),
            *("An incorrect answer would be 42, the correct answer is 44.", "Incorrect: 42. Correct: 44."),
            *("<del>42</del> <ins>44</ins>",),
        ],
    ),
    (
        "5",
        [
            *("The answer could be 5 or 7.", "It's 5, or possibly 7.", "Possible answers: 5, 7"),
            *("Answer 1: 5\nAnswer 2: 7", "x = 5 or x = 7", "$\\boxed{5}$ or $\\boxed{7}$"),
            *("\\boxed{5 \\text{ or } 7}",),
        ],
    ),
    ("7", ["The answer is either 5 or 7.", "5? 7? Hard to say."]),
    ("17", ["Ducks: 17; geese: 9", "There are 17 ducks and 9 geese.", "Tom has 17. Jerry has 9."]),
    (
        "9",
        [
            *("Ducks: 17, Geese: 9", "The answer is 17 for Tom and 9 for Jerry.", "Mom gave 4, Dad gave 9."),
            *("the first is 4 and the second is 9",),
        ],
    ),
    (
        "10",
        [
            *("between 10 and 20", "anywhere from 10 to 20", "10 to 20 apples", "10–20"),
            *("The answer is 10, 20, or 30.",),
        ],
    ),
    (
        "60",
        [
            *("No way it's 60.", "We can rule out 60.", "The total can't possibly be 60."),
            *("60? That can't be, since she only had 50.", "I got 60 at first, which was a mistake."),
            *("Although 60 seems plausible, the right count is 48.", "You may think the answer is 60. It isn't."),
            *("The answer is never 60.", "It is far from 60.", "60 is a red herring.", "60 must be rejected."),
            *("60 is incorrect because the tax was left out.", "We should not answer 60.", "Don't write 60."),
            *("Beware of answering 60!", "The solution 60 is invalid.", "x = 60 is extraneous."),
            *("x = 60 (rejected) or x = 48", "The answer: 48 (not 60!)", "Not 60 — 48."),
            *("Final answer: 48, contrary to the 60 I gave earlier.",),
            *("Answer: 60\n\nWait, I need to subtract the 12 broken ones.\n\nAnswer: 48",),
            *("I previously said 60, but on review it's 48.", "Tom claims it's 60; he is wrong."),
            *("There are fewer than 60.", "It is less than 60 but more than 40.", "The answer isn't quite 60."),
            *("It's impossible to get 60.", "None of them is 60.", "Not even 60 would be enough."),
            *("60 is not enough.", "60 doesn't satisfy the equation.", "60 fails the check."),
        ],
    ),
    (
        "6",
        [
            *("6 and/or 8", "Maybe 6, maybe 8.", "6 (or 8 if you count the guests)"),
            *("It's a toss-up between 6 and 8.", "One solution is 6, another is 8.", "The answers are 6 and 8."),
            *("(6, 8)", "{6, 8}", "[6, 8]", "6 | 8", "6; 8", "6\n8", "a) 6\nb) 8"),
            *("Anna: 6 cookies, Ben: 8 cookies", "Anna has 6 and Ben 8.", "from 6 up to 8"),
            *("somewhere between 6 and 8", "6 to 8 cookies", "roughly 6-8", "six or eight", "six to eight"),
            *("either six or eight", "I can't decide between 6 and 8.", "6 adults and 8 children"),
            *("If x is odd, 6; if x is even, 8.",),
        ],
    ),
    ("8", ["One solution is 6, another is 8.", "Anna: 6 cookies, Ben: 8 cookies", "6 < x < 8"]),
    (
        "35",
        [
            *("We can't conclude that it is 35.", "Forget 35; the tax makes it 42."),
            *("I was wrong to say 35. It is 42.", "Calling it 35 would be a mistake."),
            *("You'd be wrong if you said 35.", "35 was my initial guess, but the total is 42."),
            *("It's tempting to answer 35.", "Don't be fooled into thinking it's 35."),
            *("The answer is certainly not 35.", "The answer is no longer 35.", "There aren't 35."),
            *("There were never 35.", "Is it 35? No, because of the tax.", "She doesn't have 35 left."),
            *("The book's answer of 35 is a misprint.", "35 seems right at first glance but it ignores the tax."),
        ],
    ),
    (
        "4",
        [
            *("Two answers are possible: 4 and 9.", "The roots are 4 and 9.", "It might be 4; it might be 9."),
            *("Mom: 4\nDad: 9", "Mom gave 4 and Dad gave 9.", "4..9", "4~9", "four or five", "4, maybe 5"),
            *("at least 4 and at most 9",),
        ],
    ),
]
