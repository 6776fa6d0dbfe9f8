""" "Yes", "no" and free text in whole statements: completions that give each gold answer, and that do not."""

from __future__ import annotations

from tests.reasoning.grading.answer_cases.numbers import Table

YES_NO_RIGHT: Table = [
    (
        "yes",
        [
            *("<think>no?</think>Yes", "Yes.", "Yep!", "Yeah, it could.", "Certainly.", "Of course.", "It is true."),
            *("That is correct.", "True", "The answer is not no.", "No doubt about it: yes."),
            *("No wonder they say yes. The answer is yes.", "There is no reason to think otherwise, so yes."),
            *("Probably yes.", "Yes - no problem.", "Yes, no question.", "No. Wait, yes.", '{"answer": true}'),
            *("\\boxed{\\text{Yes}}", "Answer: Yes.", "Sí", "是的", "Oui.", "はい", "Да"),
            *("So, a hamster can indeed outlive an elephant? The answer is yes.", "I think so.", "Affirmative."),
            *("Someone might say no, yet the answer is yes.", "Yes, absolutely.", "Sure.", "Definitely."),
            *("Indeed it could.", "I believe so.", "Answer: **Yes**", "(yes)"),
            *("yes\n\nExplanation: no elephant lives that long.", 'The answer is "yes".', "a resounding yes"),
            *("Thus, yes, it could.", "Is it possible? Yes.", "Could it? No. Well, actually yes.", "Correct!"),
            *("Right.", "The claim is true.", "This is not false.", '{"answer": "Yes"}', "\\boxed{Yes}", "Y", "Ja."),
            *("可以，是的。", "네", "Sim.", "Yes, it is.", "Absolutely yes.", "It is yes.", "I'd answer yes."),
            *("Answer: Yes (not no).", "The answer is yes, not no.", "No, wait. Yes."),
            *("There is no question that the answer is yes.", "That is the case.", "You're right, it's true."),
            *("true\n\nBecause elephants die.", '{"answer": "true"}', "Yes/No: Yes", "(Yes or No) Yes"),
            *('I say: "Yes".', "Yes<|im_end|>", "Yes\nQuestion: Is it red?\nAnswer: No", "Surprisingly, yes."),
            *("In theory, yes.", "Ans: yes", "Yes, since no hamster lives alone."),
        ],
    ),
    (
        "no",
        [
            *("No, it couldn't.", "Nope.", "Certainly not.", "By no means.", "Not at all.", "Not really."),
            *("Hardly.", "Of course not.", "That's false.", "This is incorrect.", "FALSE"),
            *("The answer can't be yes.", "At first I thought yes, but the answer is no.", '{"answer": false}'),
            *("**No**", "Final answer: no.", "不是", "Nein.", "Non", "いいえ", "Нет", "I would say no."),
            *("I don't think so.", "Negative.", "The answer is no, even though some say yes."),
            *("<think>\nyes yes yes\n</think>\n\nNo.", "No!", "Nah.", "No, not at all.", "Definitely not."),
            *("Impossible.", "It's not possible.", "There's no way.", "Never.", "I'm afraid not."),
            *("I don't believe so.", "Answer: [No]", "No.\n\nYes, hamsters are cute, but they die early."),
            *("The answer is a clear no.", "The answer would be no.", "Thus the answer has to be no."),
            *("So no, it could not.", "Could it? No.", "I'd have said yes, but no.", "Incorrect.", "Wrong."),
            *("The statement is false.", "This is not true.", "<answer>no</answer>", "\\boxed{\\text{False}}", "N"),
            *(
                "不，不能。",
                "아니요",
                "Não.",
                "No, they can't.",
                "The answer: No",
                "Final Answer: **No**, it could not.",
            ),
            *("It's a no.", "That's a no from me.", "So my answer is no.", "Yes? No.", "It's hard to say, but no."),
            *("There is no evidence that it could. So no.", "That's not the case.", "This claim is untrue."),
            *("FALSE.", "```\nno\n```", "Yes or No: No", "A: No", "No\n\nQ: Is it red?\nA: Yes"),
            *("Unfortunately, no.", "In practice, no.", "Nope, it's impossible"),
        ],
    ),
]
YES_NO_WRONG: Table = [
    (
        "yes",
        [
            *("Yes and no.", "Maybe.", "It depends.", "Yes or no?", "I can't answer yes or no."),
            *("The answer is not yes.", "Likely.", "At first I thought yes, but the answer is no."),
            *("A common wrong answer is yes.", "The answer is no, even though some say yes."),
            *("The answer is unknown.", "It is possible.", "I'd have said yes, but no."),
            *("Most people say yes. They are wrong.", "It would be wrong to say yes."),
            *("The answer is neither yes nor no.", "yes/no", "Yes or no, I can't tell.", "Unclear."),
            *("Both yes and no.", "Perhaps.", "1", "An elephant could outlive a hamster."),
            *("There is no evidence against it.", "Theoretically yes, practically no.", "Undecided."),
            *("I would need more information.",),
        ],
    ),
    (
        "no",
        [
            *("Unlikely.", "No. Wait, yes.", "Someone might say no, yet the answer is yes.", "There is no answer."),
            *("No answer.", "No idea.", "Not sure.", "Could it? No. Well, actually yes.", "no data"),
            *("No information is given.", "I have no idea.", "There's no simple answer."),
            *("A hamster could not outlive a tortoise.", "The answer is yes, not no.", "I can't say yes."),
            *("The question has no answer.",),
        ],
    ),
]
TEXT_RIGHT: Table = [
    (
        "le",
        [
            *("le", '"le"', "The answer is 'le'.", "l + e = le", "l, e → le", 'The concatenation is "le".', "LE"),
            *("**le**", "l-e", "\\boxed{\\text{le}}", '{"answer":"le"}', "<answer>le</answer>"),
            *("The letters are l and e, so the answer is le.", 'The answer is "el". Wait, I reversed them: "le".'),
            *("<think>el</think>le",),
        ],
    ),
    ("el", ["The answer is el, not le."]),
    ("Paris", ["The capital is Paris.", "The answer is Paris, France.", "Answer: Paris (France)"]),
    ("Paris, France", ["The answer is Paris, France."]),
    ("the Beatles", ["The answer is Beatles."]),
    ("Beatles", ["The answer is The Beatles."]),
    ("H2O", ["The answer is H₂O."]),
    ("x = 5", ["The answer is x = 5."]),
    ("U.S.A.", ["The answer is USA."]),
    ("don't", ["The answer is “don’t”."]),
    ("café", ["The answer is café."]),
    ("alpha-beta", ["Answer: alpha–beta"]),
    ("Dr. Smith", ["The answer is Dr. Smith."]),
    ("e.g.", ["The answer is e.g."]),
    ("3 apples", ["The answer is 3 apples."]),
    (
        "nyk",
        [
            *('The answer is "nyk"', "nyk.", "N-Y-K", "n y k", "So the result is nyk.", "Concatenating them: nyk"),
            *('"n" + "y" + "k" = "nyk"', 'The letters n, y, k together form "nyk".', "Answer: 'nyk'"),
            *("**Answer:** `nyk`", "\\boxed{nyk}", '\\boxed{\\text{"nyk"}}', "<answer>nyk</answer>", "NYK!"),
            *('The answer is "nyl", no wait, "nyk".', "I first got nyl, but it is nyk."),
        ],
    ),
    ("nyl", ['Not "nyk" but "nyl".']),
    (
        "Marie Curie",
        [
            *("It was Marie Curie.", "The scientist was Marie Curie.", "The answer is: Marie Curie (1867-1934)."),
            *("The answer is marie curie",),
        ],
    ),
    ("United States", ["The answer is the United States."]),
    ("1984", ['The answer is "1984".']),
    ("3.5", ["The answer is 3.5."]),
    ("C++", ["The answer is C++."]),
    ("not guilty", ["The answer is not guilty."]),
    ("red and blue", ["The answer is red and blue."]),
    ("naïve", ["The answer is naïve."]),
    ("Ångström", ["The answer is Ångström."]),
    ("e=mc^2", ["The answer is E=mc^2."]),
    ("São Paulo", ["Answer: São Paulo, Brazil"]),
    (
        "ose",
        [
            *("ose", "The answer is ose.", 'Taking the last letters gives "ose".', "o, s, e -> ose"),
            *("'o' + 's' + 'e' = 'ose'", "= ose", "ose (o from Pablo, s from James, e from Kate)", "Result: ose"),
            *('The concatenated string would be "ose".', "Thus, 'ose' is the answer."),
            *("The last letters are o, s, e.", '<answer>\n"ose"\n</answer>', "Answer: ose<|eot_id|>"),
        ],
    ),
    (
        "Mount Everest",
        [
            *("Mount Everest is the answer.", "The tallest mountain is Mount Everest.", "It's Mount Everest!"),
            *("The answer is **Mount Everest**, in Nepal.",),
        ],
    ),
    ("silver", ["The answer is silver, not gold."]),
    ("7 days", ["The answer is 7 days."]),
    ("an apple", ["The answer is an apple."]),
    ("apple", ["The answer is an apple."]),
    ("A", ["The answer is A."]),
]
TEXT_WRONG: Table = [
    ("le", ["not le", 'The answer is not "le".', "The answer is le or el.", "The answer is el, not le."]),
    ("New York", ["The answer is New York City."]),
    (
        "nyk",
        [
            *("kyn", "It isn't nyk.", 'Not "nyk" but "nyl".', '"nyk" or "nyl"', 'A wrong answer would be "nyk".'),
            *("nyk is incorrect.", "The answer is nykk.", "The answer cannot be nyk."),
        ],
    ),
    ("Marie Curie", ["The answer is Pierre Curie.", "Curie"]),
    ("3.5", ["The answer is 35."]),
    ("C", ["The answer is C++."]),
    ("guilty", ["The answer is not guilty."]),
    ("red", ["The answer is red or blue."]),
    ("ose", ["eso", "The answer is eso (reverse of ose)."]),
    ("Mount Everest", ["Mt. Everest"]),
    ("gold", ["The answer is silver, not gold."]),
]
