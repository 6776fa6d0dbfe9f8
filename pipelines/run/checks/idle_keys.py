"""Keys of a recipe that are set and change nothing, since another key leaves them without work.

Owns: which keys need which others, and the words for it. They are notes, no faults: a run that was begun with such a
key goes on.

Invariant: a key that is left at its default is not told, so that a plain recipe has no notes.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from reasoning.prompts.run_prompts import RunPrompts, feedback_prompt, form_of
from reasoning.prompts.teacher_prompts import TeacherPrompt
from reasoning.recipe.learning import LadderSection, LearningSection
from reasoning.recipe.tailored import Recipe
from reasoning.recipe.training import PAIR_LOSSES, TrainingSection
from reasoning.rounds.ladder.budget import CHARACTERS_A_TOKEN
from reasoning.rounds.ladder.policy import is_guessable
from reasoning.tasks.loading import TaskData
from reasoning.teacher.thinking import split_thinking

_OF_TRIPLETS = ("margin", "representation", "prompt_gradient")


def idle_keys(recipe: Recipe, prompts: RunPrompts, data: TaskData) -> Iterator[str]:
    """Each as a note that begins with the key."""
    yield from _without_an_exam(recipe)
    yield from _help_keys(recipe)
    if (ladder := recipe.learning.ladder) is not None:
        yield from _ladder_keys(recipe, ladder, data)
        yield from _budget_keys(recipe, ladder, prompts)
    yield from _request_keys(recipe, prompts)
    yield from _objective_keys(recipe)
    yield from _turn_keys(recipe)
    yield from _thinking_keys(recipe, prompts)
    yield from _training_keys("learning.first_training", recipe.learning.first_training, _most_first(recipe, data))
    if recipe.learning.rounds:
        yield from _training_keys("learning.training", recipe.learning.training, _most_later(recipe, data))


def _thinking_keys(recipe: Recipe, prompts: RunPrompts) -> Iterator[str]:
    """Thinking that no template switches off: it neither reads an argument nor has a block that could be closed."""
    student, frame = recipe.student, prompts.form.frame
    if student.thinking != "off" or split_thinking(frame.after).said != frame.after:
        return
    if form_of(student.model_copy(update={"thinking": None})).frame == frame:
        yield (
            "student.thinking: without it this chat template asks the same. A student that thinks by itself goes on "
            "thinking, for which student.max_new_tokens must leave room."
        )


def _given(section: BaseModel, key: str) -> bool:
    """Whether the recipe gives `key` another value than its default."""
    return getattr(section, key) != type(section).model_fields[key].get_default(call_default_factory=True)


def _without_an_exam(recipe: Recipe) -> Iterator[str]:
    learning = recipe.learning
    if learning.rounds:
        return
    none = "learning.rounds is 0, and there is no exam"
    if learning.ladder is not None:
        yield f"learning.help: {none} after which the ladder could help."
    if learning.new_questions is not None:
        yield f"learning.new_questions: {none} whose mistakes could be practised."
    if learning.objective.loss in PAIR_LOSSES and learning.imported.mistakes is None:
        yield f"learning.objective.loss: {none} to learn from: it is loss: completion."


def _help_keys(recipe: Recipe) -> Iterator[str]:
    if _given(recipe.teacher, "feedback_prompt") and feedback_prompt(recipe) != recipe.teacher.feedback_prompt:
        yield (
            f"teacher.feedback_prompt: {recipe.teacher.feedback_prompt} is not asked, since it shows the mistake and "
            "learning.help is plain."
        )


def _ladder_keys(recipe: Recipe, ladder: LadderSection, data: TaskData) -> Iterator[str]:
    learning, place = recipe.learning, "learning.ladder"
    guessable = all(map(is_guessable, data.train))
    own = ladder.own > 0 and (ladder.guessable_share < 1 or not guessable)
    if ladder.rationalize and guessable:
        yield f"{place}.rationalize: right answers to such questions are easily guessed, so none is shown."
    by_itself = own or (ladder.rationalize > 0 and not guessable)
    new_ones = ladder.new_questions and learning.new_questions is not None
    if not (by_itself or ladder.plain or ladder.tailored or new_ones):
        guessed = " (own: right answers to such questions are easily guessed)" if ladder.own and not own else ""
        yield f"{place}: no rung is on that could help, so a missed question gets nothing{guessed}."
    if learning.new_questions is None and "new_questions" in ladder.model_fields_set and ladder.new_questions:
        yield f"{place}.new_questions: none are asked for without learning.new_questions, such as new_questions: {{}}."
    if learning.new_questions is not None and not ladder.new_questions:
        yield "learning.new_questions: learning.ladder.new_questions is false, so none are asked for."
    if ladder.solved_after is None and _given(ladder, "examine_solved"):
        yield f"{place}.examine_solved: solved_after is null, so no question counts as solved."
    if learning.rounds and _given(ladder, "solved_after") and (ladder.solved_after or 0) > learning.rounds:
        yield f"{place}.solved_after: with so few rounds ({learning.rounds}) no question counts as solved."
    if learning.exam.questions is None and _given(ladder, "examine_again"):
        yield f"{place}.examine_again: without learning.exam.questions an exam asks all questions."
    if not ladder.own and _given(ladder, "guessable_share"):
        yield f"{place}.guessable_share: own is 0, so nothing is learnt from own attempts."
    if _given(learning, "mistakes_per_question"):
        yield "learning.mistakes_per_question: the ladder shows one mistake of a question at a time."


def _budget_keys(recipe: Recipe, ladder: LadderSection, prompts: RunPrompts) -> Iterator[str]:
    if ladder.teacher_tokens is not None:
        asked = [(ladder.plain, prompts.first), (ladder.tailored, prompts.feedback)]
        least = min((_characters(prompt) for is_on, prompt in asked if is_on), default=0) // CHARACTERS_A_TOKEN
        if ladder.teacher_tokens < least:
            yield (
                f"learning.ladder.teacher_tokens: {ladder.teacher_tokens} is less than one request takes "
                f"({least} and the question), so nothing is asked after round 0."
            )
    if ladder.dollars is not None:
        prices = [p.price for one in (recipe.teacher, recipe.teacher.for_first) for p in one.settings().endpoints]
        if all(price is not None and not price.input and not price.output for price in prices):
            yield "learning.ladder.dollars: this teacher costs nothing, so it is no limit; teacher_tokens would be one."


def _characters(prompt: TeacherPrompt) -> int:
    return sum(len(message.content) for message in prompt.messages)


def _request_keys(recipe: Recipe, prompts: RunPrompts) -> Iterator[str]:
    learning, ladder = recipe.learning, recipe.learning.ladder
    if learning.per_request == 1:
        return
    first = learning.first_questions > 0 or (ladder is not None and ladder.plain)
    feedback = learning.rounds > 0 and (ladder is None or ladder.tailored)
    if not any(prompt.several for is_on, prompt in ((first, prompts.first), (feedback, prompts.feedback)) if is_on):
        yield "learning.per_request: of the prompts that this recipe asks none puts several questions in a request."


def _objective_keys(recipe: Recipe) -> Iterator[str]:
    objective, reflects = recipe.learning.objective, recipe.learning.self_reflection
    if objective.loss in PAIR_LOSSES or (reflects and objective.contrastive_weight):
        return
    why = "learning.objective.contrastive_weight is 0" if reflects else "learning.self_reflection is false"
    for key in (*_OF_TRIPLETS, *(("contrastive_weight",) if objective.contrastive_weight else ())):
        if _given(objective, key):
            yield f"learning.objective.{key}: it is of the triplet loss, and {why}."


def _turn_keys(recipe: Recipe) -> Iterator[str]:
    cluster = recipe.cluster
    if cluster.placement == "dedicated" and _given(cluster, "turns"):
        yield "cluster.turns: with placement: dedicated samplers and trainers take no turns."
    on_gpus = cluster.placement == "shared" and cluster.sampler_gpus and cluster.trainer_gpus
    if not on_gpus or "turns" not in cluster.model_fields_set or cluster.turns != "sleep":
        return
    from actors.sampler.start import take_turns_asleep  # loads Ray: only now

    if not take_turns_asleep(recipe):
        yield (
            "cluster.turns: these samplers do not sleep but restart: to sleep takes vLLM, sampler_gpus and "
            "trainer_gpus of 1, as many samplers as trainers (and no fewest_trainers below), and the same labels."
        )


def _most_first(recipe: Recipe, data: TaskData) -> int | None:
    """How many rationales round 0 learns from at most; None where others come from elsewhere."""
    learning = recipe.learning
    questions = min(learning.first_questions, len(data.train))
    most = questions * (min(learning.first_rationales, learning.max_positives) + _reads_answers(learning))
    return most if learning.imported.rationales is None else None


def _most_later(recipe: Recipe, data: TaskData) -> int | None:
    learning = recipe.learning
    most = len(data.train) * (learning.max_positives + _reads_answers(learning))
    return most if learning.new_questions is None else None


def _reads_answers(learning: LearningSection) -> bool:
    """Whether a question that the teacher explains is learnt once more, its answer shown."""
    return learning.ladder is not None and learning.ladder.rationalize > 0


def _training_keys(place: str, training: TrainingSection, most: int | None) -> Iterator[str]:
    """`most`: so many rationales are learnt from at most, where that is known."""
    if training.epoch == "best" and training.epochs == 1:
        yield f"{place}.epoch: of one epoch the last is the best."
    steps = training.epochs * max(-(-most // training.batch_size), 1) if most is not None else None
    if steps is not None and _given(training, "warmup_steps") and training.warmup_steps >= max(steps, most or 0):
        yield f"{place}.warmup_steps: the training has fewer steps, so learning_rate is never reached."
