"""Made-up completions for the grader, without end: none may raise, none may take long.

    python -m bench.grading.fuzz [--count 500000] [--seed 0] [--megabytes 1]

Repeats each of a hundred small patterns to the size given, and prints what takes most of the processor's time. Then
draws completions from the tokens that models write, has everything that judges one judge each, and prints how many
there were and the slowest.
"""

from __future__ import annotations

import argparse
import random
import time

from bench.refusals import amount_or_none, count
from reasoning.grading.answers import grade, is_right, judged_answer, judged_part, mentions, same_answer
from reasoning.grading.mistakes import mistakes_of
from reasoning.grading.rationale_filter import keep
from reasoning.records import AnswerKind, Attempt, Problem, RationaleSource, Split, Verdict

# Of each kind that is read without a process of its own, a gold answer and the options.
BALLS = ("orange ball", "white ball", "blue ball")
GOLDS: dict[AnswerKind, tuple[str, tuple[str, ...]]] = {
    AnswerKind.NUMBER: ("42", ()),
    AnswerKind.YES_NO: ("yes", ()),
    AnswerKind.CHOICE: ("B", BALLS),
    AnswerKind.TEXT: ("yajo", ()),
}
TOKENS = (
    *("0", "1", "2", "7", "12", "42", "3.5", ".5", "1,000", "1 000", "00", "9'9", "1e9", "1e99999", "½"),
    *("¾", "７", "٣", "०", "²", "⁻³", "Ⅷ", "+", "-", "−", "–", "*", "×", "/", "÷", "=", "^", "**", "<"),
    *(">", "≤", "±", "≈", "%", "$", "€", "°", "(", ")", "[", "]", "{", "}", ",", ".", ";", ":", "!", "?"),
    *('"', "'", "“", "”", "«", "„", "`", "```", "~~", "|", "\\", "#", "####", "-->", "->", "=>", "→"),
    *("∴", "…", "_", "&", "\\boxed{", "\\frac{", "\\frac12", "\\sqrt{", "\\text{", "\\times ", "\\cdot"),
    *("\\pi", "\\$", "\\%", "\\left(", "\\right)", "\\over", "^{", "{,}", "<think>", "</think>"),
    *("<thinking>", "[THINK]", "[/THINK]", "◁think▷", "◁/think▷", "<|channel|>final<|message|>"),
    *("<|channel|>analysis<|message|>", "<|im_end|>", "<|im_start|>", "</s>", "<answer>", "</answer>"),
    *("[ANSWER]", '{"answer": "', "<|endoftext|>", "[INST]", "<", "</", "<|", "3,5", "1.234,50"),
    *("2 apples and ", "hours", "30 minutes", "cents", "make", "each", "eliminating ", "leaves "),
    *("only ", "would be ", "if ", "between ", "\nExercise 2.", "\n\n2. ", "answer", "Answer:"),
    *("the answer is ", "The answer is not ", "Final answer", "Ans:", "wrong answer is "),
    *("is the answer", "Question:", "\nQ:", "Human:", "yes", "no", "not", "true", "false", "nope"),
    *("never", "A", "B", "(B)", "C)", "a", "either ", " or ", " and ", " to ", "wait", "actually"),
    *("let me recheck", "one", "two", "half", "and a half", "minus", "million", "dozen", "percent"),
    *("hundred", "point", "km", "x", "y", "ball", "white ball", "so ", "because ", " ", "  ", "\n"),
    *("\n\n", "\t", "\r\n", "\xa0", "\u202f", "\u200b", "İ", "ß", "ﬁ", "答案是", "ответ:", "\ud800", "\x00"),
    *("😀", "e\u0301", "五十八", "万", "tempted to say ", "some say it is ", "was supposed to be ", " fails"),
    *(" (incorrect)", " is ruled out", "the second option", "option 2", "all but ", " are wrong", " in 4"),
    *(" below zero", "¢", "Ducks: ", "which is ", "on day ", "none of these", "it is not ", "<del>", "</del>"),
    *("<ins>", "no longer ", "both "),
)
PATTERNS = (
    *("1/2 ", "1 ", "1,", "1.", "1-", "1/", "1+", "1=", "1 = ", "(1", "1(", "((", "1 000 ", "1^", "2^2"),
    *("- ", "-1 ", "$1", "½", "٣", "10:", "1 or ", "x=1 ", "answer ", "the answer is 5. "),
    *("answer is not 5 ", "Answer: ", "\nAnswer: 1\n", "<answer>", "</answer>", '"answer": '),
    *("wrong answer ", "is the answer. ", "\\boxed{", "\\boxed{1}", "\\frac{1}{2} ", "\\frac{", "{", "}"),
    *("\\", "\\text{a}", "####", "#### 1", "-->", "~~", "~~1~~", "<s>", "*", "**", "`", '"', "<think>"),
    *("</think>", "<think>1</think>", "<|im_end|>", "<", "[", "\n", "\n\n", "\nQ:", "\nproblem:"),
    *("\n\nwait", " ", "\t", "\xa0", "a", "A ", "A, ", "(A) ", "A or ", "not A, ", "5 and 5 "),
    *("5 pens and ", "1.234,", "\n2. a?", "yes ", "no ", "no one ", "yes or no ", "not ", "not 5 "),
    *("wait ", "one ", "and ", "half ", "so ", ", so ", "let me recheck ", "white ball ", "1 km "),
    *("i think ", "if ", "some say it is 5, ", "Ducks: 5, ", "五十八", "5 is ruled out ", "option 2 "),
    *("\n\nwait\n\n", "is it 5? ", "3 in 4 ", "}, \\boxed{1", "the coin is not "),
)


def drawn(draw: random.Random) -> str:
    """A completion, usually of a line or two, one in fifty as long as a student may write."""
    count = draw.randint(1, 24) if draw.random() < 0.98 else draw.randint(25, 300)
    parts = [draw.choice(TOKENS) for _ in range(count)]
    return draw.choice(("", " ")).join(parts)


def check(text: str) -> list[Verdict]:
    """The verdicts on a completion, one of each of these kinds, after all else that judges one has judged it.
    Raises what any of it raises, and `AssertionError` where two of them contradict each other."""
    verdicts = []
    for kind, (gold, choices) in GOLDS.items():
        problem = Problem("task", "Is the white ball red?", gold, kind, Split.TRAIN, choices)
        prediction, verdict = grade(text, True, problem)
        found = judged_answer(text, kind, choices, problem.question)
        right = is_right(found, gold, kind)
        assert (verdict is Verdict.CORRECT) == right, text
        assert verdict is not Verdict.NO_ANSWER or not prediction, text
        same_answer(text, gold, kind)
        mentions(judged_part(text), gold, kind, choices)
        keep(text, problem, round=0, source=RationaleSource.PLAIN, prompt="p", model="m", teach_thinking=True)
        mistakes_of([Attempt(problem.id, 0, 0, text, True, 1, prediction, verdict)])
        verdicts.append(verdict)
    return verdicts


def fuzz(count: int, seed: int) -> None:
    draw, slowest = random.Random(seed), (0.0, "")
    for number in range(1, count + 1):
        text = drawn(draw)
        start = time.process_time()
        try:
            check(text)
        except Exception:
            print(f"completion {number} of seed {seed}: {text!r}")
            raise
        slowest = max(slowest, (time.process_time() - start, text))
        if number % 50_000 == 0 or number == count:
            print(f"{number} completions, the slowest took {slowest[0] * 1000:.0f} ms: {slowest[1]!r}", flush=True)


def repeated(megabytes: float) -> None:
    rows: list[tuple[float, str, str]] = []
    for part in PATTERNS:
        text = part * (int(megabytes * 1024**2) // len(part))
        for kind, (gold, choices) in GOLDS.items():
            start = time.process_time()
            judged_answer(text, kind, choices)
            mentions(text, gold, kind, choices)
            rows.append((time.process_time() - start, kind.value, part))
    for seconds, name, part in sorted(rows, reverse=True)[:15]:
        print(f"{seconds:8.2f} s  {name:<8} {part!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=count, default=500_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--megabytes", type=amount_or_none, default=1.0)
    options = parser.parse_args()
    repeated(options.megabytes)
    fuzz(options.count, options.seed)


if __name__ == "__main__":
    main()
