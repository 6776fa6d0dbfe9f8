"""The embedded student's text, tokenizer and shape."""

from __future__ import annotations

import random
import re

import pytest

from reasoning.prompts.student_forms import student_completion, student_prompt
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.records import Split
from reasoning.student.embedded import corpus, exercises
from reasoning.student.embedded.architecture import student_config
from reasoning.student.embedded.corpus import MIXTURE, SKILLS, draw, random_source
from reasoning.student.embedded.packing import GIVEN_WEIGHT, pack
from reasoning.student.embedded.passage import passage
from reasoning.student.embedded.tokenizer import train_tokenizer
from reasoning.tasks.families import FAMILIES, problems, split_of
from reasoning.tasks.families.small_steps import calculate

pytestmark = pytest.mark.training

STUDENT = EMBEDDED_STUDENT
_EQUATION = re.compile(r"(\d+) ([-+×÷]) (\d+) = (\d+)")


@pytest.fixture(scope="module")
def tokenizer():  # type: ignore[no-untyped-def]
    return train_tokenizer(corpus.tokenizer_text(0, 3_000))


def test_every_skill_is_in_the_mixture() -> None:
    assert set(MIXTURE) == set(SKILLS)


def test_text_depends_on_the_seed_and_the_step_alone() -> None:
    first = [draw(random_source(0, "pretrain", 7))[1].text for _ in range(2)]
    assert first[0] == first[1]
    assert draw(random_source(1, "pretrain", 7))[1].text != first[0]


def test_every_equation_of_the_text_is_true() -> None:
    rng = random.Random(3)
    found = 0
    for _ in range(3_000):
        for left, op, right, result in _EQUATION.findall(draw(rng)[1].text):
            assert calculate(int(left), op, int(right)) == int(result)
            found += 1
    assert found > 3_000


def test_no_whole_problem_is_solved_and_none_of_the_test_split_is_read() -> None:
    """A family's question stands in the text only unsolved and from the training split; a solved one has one step."""
    rng = random.Random(4)
    seen = 0
    for _ in range(4_000):
        skill, text = draw(rng)
        if skill in exercises.ONE_STEP:
            question = text.question.removeprefix("Question: ").removesuffix("\nReasoning:")
            needed = [step for step in exercises.ONE_STEP[skill].solve(question).steps if not step.optional]
            assert len(needed) <= 1 or skill == "one_swap", question
        elif text.text.startswith("Text: "):
            question = text.text.removeprefix("Text: ").partition("\n")[0]
            assert split_of(question) is Split.TRAIN
            assert "Reasoning:" not in text.text and "=" not in text.text
            seen += 1
    assert seen > 100


def test_spans_tokenise_apart_as_together(tokenizer) -> None:  # type: ignore[no-untyped-def]
    rng = random.Random(5)
    for _ in range(500):
        _, text = draw(rng)
        apart = [token for span in text.spans for token in tokenizer.encode(span.text)]
        assert apart == tokenizer.encode(text.text)


def test_a_prompt_is_its_own_ids_and_digits_stand_alone(tokenizer) -> None:  # type: ignore[no-untyped-def]
    problem = problems(FAMILIES["arithmetic"], 0, Split.TRAIN, 1)[0]
    prompt, completion = student_prompt(problem.question), student_completion("34 × 12 = 408.", "408")
    ids = tokenizer.encode(prompt)
    assert tokenizer.decode(ids) == prompt
    assert not {tokenizer.pad_token_id, tokenizer.eos_token_id} & set(ids)
    assert ids + tokenizer.encode(completion) == tokenizer.encode(prompt + completion)
    assert all(len(token) == 1 for token in tokenizer.tokenize("4078") if token.isdigit())
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


def test_packed_rows_repeat_and_weigh_given_text_less(tokenizer) -> None:  # type: ignore[no-untyped-def]
    ids, weights = pack(tokenizer, seed=0, step=3, rows=2, length=64)
    again, _ = pack(tokenizer, seed=0, step=3, rows=2, length=64)
    other, _ = pack(tokenizer, seed=0, step=4, rows=2, length=64)
    assert ids.shape == weights.shape == (2, 64)
    assert ids.equal(again) and not ids.equal(other)
    assert weights.unique().tolist() == pytest.approx([GIVEN_WEIGHT, 1.0])


def test_a_passage_alternates() -> None:
    text = passage("1 + 1 =", " 2.", " 2 + 2 =", " 4.")
    assert (text.question, text.answer) == ("1 + 1 = 2. 2 + 2 =", " 4.")
    with pytest.raises(ValueError, match="even number"):
        passage("1 + 1 =")


def test_the_shape_suits_engines_and_the_repository() -> None:
    config = student_config(vocab_size=1024, pad_token_id=0, eos_token_id=1)
    assert config.head_dim == 32 and config.num_attention_heads * config.head_dim == config.hidden_size
    assert not config.tie_word_embeddings and config.bos_token_id is None


def test_the_shipped_student_loads_reads_and_computes() -> None:
    """What a user relies on: it loads, is small, solves stories of one step and not yet whole problems."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from reasoning.student.embedded.skills import greedy_answers

    tokenizer = AutoTokenizer.from_pretrained(STUDENT)
    model = AutoModelForCausalLM.from_pretrained(STUDENT).eval()
    assert 1_000_000 <= sum(parameter.numel() for parameter in model.parameters()) <= 4_000_000
    assert (STUDENT / "model.safetensors").stat().st_size <= 16 * 2**20
    rng = random.Random("stories")
    stories = [exercises.exercise(exercises.ONE_STEP["one_calculation"], rng) for _ in range(40)]
    said = greedy_answers(model, tokenizer, [story.question for story in stories], 128)
    pairs = zip(said, stories, strict=True)
    assert sum(text.rpartition("Answer:")[2] == it.answer.rpartition("Answer:")[2] for text, it in pairs) >= 36
    asked = problems(FAMILIES["arithmetic"], 0, Split.TEST, 40)
    solved = greedy_answers(model, tokenizer, [student_prompt(problem.question) for problem in asked], 128)
    right = sum(text.rpartition("Answer:")[2].strip() == p.answer for text, p in zip(solved, asked, strict=True))
    assert right <= 20
