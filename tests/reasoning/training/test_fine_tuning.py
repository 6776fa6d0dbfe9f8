"""A round's training: it learns, it repeats exactly, it resumes exactly, and workers agree with one worker."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from reasoning.prompts.chat_template import ChatTemplate
from reasoning.prompts.frame import Frame
from reasoning.prompts.student_forms import default_form, student_form
from reasoning.recipe.student import ChatSection
from reasoning.recipe.training import LoraSection, ObjectiveSection, TrainingSection
from reasoning.records import Example
from reasoning.student.checkpoint import Student, load_student, save_student
from reasoning.student.probe import end_tokens
from reasoning.training.fine_tuning import (
    FineTuneReport,
    FineTuning,
    LossPoint,
    TrainingError,
    fine_tune,
)
from reasoning.training.prompt_sharing import set_to
from reasoning.training.readers import Reading
from reasoning.training.samples import draw_pass
from tests.reasoning.prompts.chat_templates import chat_tokenizer
from tests.reasoning.training.losses.plain_losses import READINGS
from tests.tiny_students import tiny_llama, tiny_student
from tests.tiny_t5 import tiny_t5_student

pytestmark = pytest.mark.training

OBJECTIVE = ObjectiveSection()


def _examples(count: int, rationales: int = 2) -> list[Example]:
    return [
        Example(
            f"p{i}", f"Q: {i}+1?", tuple(f" {i}+1={i + 1}{'.' * r}\nAnswer: {i + 1}" for r in range(rationales)),
            (f" {i}+1={i + 3}\nAnswer: {i + 3}",) if i % 2 else (),
        )
        for i in range(count)
    ]  # fmt: skip


def _training(**changes: Any) -> TrainingSection:
    return TrainingSection(**({"epochs": 2, "batch_size": 4, "learning_rate": 1e-3, "warmup_steps": 2} | changes))


def _teach(
    student: Student, training: TrainingSection, *, count: int = 6, objective: ObjectiveSection = OBJECTIVE,
    **options: Any,
) -> FineTuneReport:  # fmt: skip
    return fine_tune(student.model, student.tokenizer, _examples(count), training, objective, 3, **options)


def _weights(student: Student) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in student.model.parameters()])


def test_training_teaches_the_rationales_and_tells_mistakes_apart() -> None:
    student = tiny_student()
    seen: list[LossPoint] = []
    report = _teach(student, _training(epochs=40), on_step=seen.append)
    assert report.steps == len(report.losses) == 40 * 3  # 12 rationales in batches of 4
    assert tuple(seen) == report.losses
    assert [point.step for point in seen] == list(range(120))
    assert report.lm_loss_last < 0.5 < 2.0 < report.lm_loss_first
    triplets = [point.triplet for point in seen if point.triplet is not None]
    assert triplets
    assert triplets[-1] < 0.3 * triplets[0]
    assert all(math.isclose(point.total, point.lm + 0.5 * (point.triplet or 0.0), rel_tol=1e-6) for point in seen)
    prompt = student.tokenizer("Q: 4+1?", return_tensors="pt")
    written = student.model.eval().generate(**prompt, max_new_tokens=20, do_sample=False, pad_token_id=0)
    assert student.tokenizer.decode(written[0]).endswith("Answer: 5</s>")


def test_an_encoder_decoder_learns_what_it_then_writes() -> None:
    """What the sampler gives it to read, `tokenizer(prompt)`, must be what it was taught on."""
    student = tiny_t5_student(tied=False)
    report = _teach(student, _training(epochs=60, learning_rate=5e-3), objective=ObjectiveSection(loss="completion"))
    assert report.lm_loss_last < 0.3 < 2.0 < report.lm_loss_first
    triplets = [point.triplet for point in report.losses if point.triplet is not None]
    assert triplets[-1] < 0.5 * triplets[0]
    prompt = student.tokenizer("Q: 4+1?", return_tensors="pt")
    written = student.model.eval().generate(**prompt, max_new_tokens=30, do_sample=False)
    assert student.tokenizer.decode(written[0], skip_special_tokens=True).endswith("Answer: 5")


@pytest.mark.parametrize("make", [tiny_student, tiny_t5_student])
@pytest.mark.parametrize("prompt_gradient", [True, False])
@pytest.mark.parametrize("loss", ["weighted", "full", "completion", "contrastive"])
def test_every_mode_trains_what_it_says(loss: Any, prompt_gradient: bool, make: Any) -> None:
    objective = ObjectiveSection(loss=loss, prompt_gradient=prompt_gradient)
    report = _teach(make(), _training(epochs=12, learning_rate=3e-3), count=8, objective=objective)
    first, last = report.losses[0], report.losses[-1]
    triplets = [point.triplet for point in report.losses if point.triplet is not None]
    assert sum(triplets[-4:]) < 0.7 * sum(triplets[:4])
    if loss == "contrastive":
        assert len(triplets) == report.steps == 12 * 2  # four of eight questions have triplets, two rationales each
        assert all(math.isclose(point.total, 0.5 * (point.triplet or 0.0), rel_tol=1e-6) for point in report.losses)
        assert last.lm > 0.5 * first.lm  # measured, not trained
    else:
        assert last.lm < 0.7 * first.lm
        assert all(p.total >= p.lm for p in report.losses)


def test_the_triplet_loss_alone_needs_triplets() -> None:
    with pytest.raises(TrainingError, match=r"none of 1 has them: use another objective.loss, or ask for more"):
        _teach(tiny_student(), _training(), count=1, objective=ObjectiveSection(loss="contrastive"))


def test_a_student_whose_prompts_cannot_be_cached_needs_their_gradient() -> None:
    tokenizer = tiny_student().tokenizer
    window = MistralConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, sliding_window=16,
    )  # fmt: skip
    with pytest.raises(TrainingError, match=r"prompt_gradient: false .*\(mistral\) cannot"):
        _teach(
            Student(MistralForCausalLM(window), tokenizer),
            _training(),
            objective=ObjectiveSection(prompt_gradient=False),
        )


@pytest.mark.parametrize("make", [tiny_student, tiny_t5_student])
def test_paper_b_trains_as_the_plain_loop_it_describes(make: Any) -> None:
    """AdamW at a constant 3e-4, no clipping, the loss that `transformers` makes of labels without the prompt. (Theirs
    decays norms too, by 3e-6 a step.)"""
    training = TrainingSection(
        epochs=2, batch_size=8, learning_rate=3e-4, schedule="constant", warmup_steps=0, weight_decay=0.01,
        max_grad_norm=None, max_tokens=512,
    )  # fmt: skip
    objective = ObjectiveSection(loss="completion", contrastive_weight=0.0)
    taught, plain = make(), make()
    run = FineTuning(taught.model, taught.tokenizer, _examples(6), training, objective, 3, 0, 1, "float32")
    optimizer = torch.optim.AdamW(plain.model.parameters(), lr=3e-4, weight_decay=0.01)
    losses = []
    for epoch in range(2):
        for batch in draw_pass(run.data.examples, 8, 3, epoch):
            optimizer.zero_grad()
            whole = torch.zeros(())
            for sample in batch:  # one at a time, weighted by its tokens
                if plain.model.config.is_encoder_decoder:
                    read, labels = sample.prompt, sample.anchor
                else:
                    read, labels = sample.prompt + sample.anchor, (-100,) * len(sample.prompt) + sample.anchor
                loss = plain.model(input_ids=torch.tensor([read]), labels=torch.tensor([labels])).loss
                whole = whole + loss * len(sample.anchor) / sum(len(s.anchor) for s in batch)
            whole.backward()
            optimizer.step()
            losses.append(whole.item())
        run.learn_pass(epoch, None)
    assert len(losses) == len(run.points) == 4
    for mine, theirs in zip(run.points, losses, strict=True):
        assert math.isclose(mine.total, theirs, rel_tol=1e-4)
    torch.testing.assert_close(_weights(taught), _weights(plain), rtol=0, atol=3e-5)


def test_the_same_seed_gives_the_same_student_and_another_seed_another() -> None:
    students = [tiny_student() for _ in range(3)]
    for student, seed in zip(students, (3, 3, 4), strict=True):
        fine_tune(student.model, student.tokenizer, _examples(6), _training(), OBJECTIVE, seed)
    assert torch.equal(_weights(students[0]), _weights(students[1]))
    assert not torch.equal(_weights(students[0]), _weights(students[2]))


class _Killed(Exception): ...


def test_a_training_resumed_after_a_pass_ends_as_if_uninterrupted(tmp_path: Path) -> None:
    whole, cut, fresh = (tiny_student(dropout=0.2) for _ in range(3))
    expected = _teach(whole, _training(epochs=3))

    def save_then_die(run: FineTuning) -> None:
        run.save(tmp_path / "state.pt")
        if run.passes == 2:
            raise _Killed

    with pytest.raises(_Killed):
        _teach(cut, _training(epochs=3), on_pass=save_then_die)
    torch.manual_seed(99)
    report = _teach(fresh, _training(epochs=3), resume=tmp_path / "state.pt")
    assert torch.equal(_weights(fresh), _weights(whole))
    assert [(p.step, p.lm, p.triplet) for p in report.losses] == [(p.step, p.lm, p.triplet) for p in expected.losses]
    assert (report.steps, report.tokens) == (expected.steps, expected.tokens)


def test_the_state_of_another_training_is_refused(tmp_path: Path) -> None:
    _teach(tiny_student(), _training(epochs=1), on_pass=lambda run: run.save(tmp_path / "state.pt"))
    with pytest.raises(TrainingError, match="the state of another training"):
        _teach(tiny_student(), _training(epochs=1), count=5, resume=tmp_path / "state.pt")


def test_micro_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, split = tiny_student(), tiny_student()
    expected = _teach(whole, _training())
    monkeypatch.setattr("reasoning.training.fine_tuning.MAX_PADDED_TOKENS", 50)
    report = _teach(split, _training())
    torch.testing.assert_close(_weights(split), _weights(whole), rtol=0, atol=2e-5)
    for mine, theirs in zip(report.losses, expected.losses, strict=True):
        assert math.isclose(mine.total, theirs.total, rel_tol=1e-4)


def test_an_empty_round_and_one_where_nothing_fits_are_refused() -> None:
    student = tiny_student()
    with pytest.raises(TrainingError, match="no examples to learn from"):
        fine_tune(student.model, student.tokenizer, [], _training(), OBJECTIVE, 0)
    with pytest.raises(TrainingError, match=r"none of 6 examples .* fits 10 tokens .*max_tokens"):
        _teach(student, _training(max_tokens=10))


def test_what_does_not_fit_is_counted() -> None:
    examples = [*_examples(2), Example("long", "Q: " + "9" * 70, (" a", " b"), (" c",))]
    student = tiny_student()
    report = fine_tune(student.model, student.tokenizer, examples, _training(max_tokens=60), OBJECTIVE, 0)
    assert (report.dropped, report.dropped_examples) == (3, 1)


@pytest.mark.parametrize("prompt_gradient", [True, False])
def test_activations_computed_again_give_the_same_student(prompt_gradient: bool) -> None:
    """With dropout, whose random numbers must be those of the first time."""
    kept, again = (tiny_student(dropout=0.2) for _ in range(2))
    objective = ObjectiveSection(prompt_gradient=prompt_gradient)
    _teach(kept, _training(), objective=objective)
    _teach(again, _training(gradient_checkpointing=True), objective=objective)
    assert again.model.is_gradient_checkpointing
    torch.testing.assert_close(_weights(again), _weights(kept), rtol=0, atol=1e-6)


def test_keys_and_values_of_prompts_cannot_be_kept_where_activations_are_not() -> None:
    with pytest.raises(TrainingError, match=r"gradient_checkpointing keeps none: use one of the two"):
        _teach(
            tiny_student(), _training(gradient_checkpointing=True),
            objective=ObjectiveSection(loss="contrastive", prompt_gradient=False),
        )  # fmt: skip


# A student, how many questions it learns, and by what.
ALONE_AND_TOGETHER: tuple[tuple[Any, int, ObjectiveSection], ...] = (
    (tiny_student, 1, OBJECTIVE),
    (tiny_student, 6, OBJECTIVE),
    (tiny_student, 6, ObjectiveSection(prompt_gradient=False)),
    (tiny_student, 6, ObjectiveSection(loss="contrastive", prompt_gradient=False)),
    (tiny_student, 6, ObjectiveSection(representation="divergence")),
    (tiny_student, 6, ObjectiveSection(loss="step_dpo")),
    (tiny_student, 6, ObjectiveSection(loss="self_distillation", language_weight=0.0)),
    (tiny_t5_student, 6, ObjectiveSection(loss="completion")),
    (tiny_t5_student, 6, ObjectiveSection(loss="dpo", language_weight=0.0)),
    (tiny_t5_student, 6, ObjectiveSection(loss="contrastive", prompt_gradient=False)),
)


def _adapted() -> TrainingSection:
    return _training(lora=LoraSection(rank=4), gradient_checkpointing=True, learning_rate=1e-2)


def _worker(rank: int, world_size: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world_size
    )
    for case, (make, count, objective) in enumerate(ALONE_AND_TOGETHER):
        student = make()
        report = _teach(student, _training(), count=count, objective=objective, rank=rank, world_size=world_size)
        torch.save((_weights(student), [point.total for point in report.losses]), f"{folder}/{case}-{rank}.pt")
    student = tiny_student()
    report = _teach(student, _adapted(), rank=rank, world_size=world_size)
    torch.save((_weights(student), [point.total for point in report.losses]), f"{folder}/adapted-{rank}.pt")
    saved: list[int] = []  # one rank says when, and all save
    due = iter([False, rank == 1, False, False]).__next__
    options: dict[str, Any] = {"due": due, "on_due": lambda run: saved.append(run.steps_of_pass)}
    _teach(tiny_student(), _training(), rank=rank, world_size=world_size, **options)
    assert saved == [2], saved
    torch.distributed.destroy_process_group()


def test_two_workers_teach_what_one_teaches(tmp_path: Path) -> None:
    """With one question, every batch leaves the second worker nothing to do: it must neither hang nor count.
    Fifteen seconds: two processes import torch and transformers."""
    torch.multiprocessing.spawn(_worker, args=(2, str(tmp_path)), nprocs=2)
    for case, (make, count, objective) in enumerate(ALONE_AND_TOGETHER):
        alone = make()
        report = _teach(alone, _training(), count=count, objective=objective)
        for rank in range(2):
            weights, totals = torch.load(tmp_path / f"{case}-{rank}.pt")
            torch.testing.assert_close(weights, _weights(alone), rtol=0, atol=2e-5)
            for mine, theirs in zip(totals, report.losses, strict=True):
                assert math.isclose(mine, theirs.total, rel_tol=1e-4)
    alone = tiny_student()
    _teach(alone, _adapted())
    for rank in range(2):
        weights, _ = torch.load(tmp_path / f"adapted-{rank}.pt")
        torch.testing.assert_close(weights, _weights(alone), rtol=0, atol=1e-4)


@pytest.mark.parametrize("reading", READINGS.values(), ids=list(READINGS))
def test_students_learn_the_same_however_they_are_read(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    packed, other = tiny_student(), tiny_student()
    readings: list[Reading] = []
    expected = _teach(packed, _training(), on_pass=lambda run: readings.append(run.reading))
    assert readings[-1] == READINGS["packed, unread left out"]
    monkeypatch.setattr("reasoning.training.fine_tuning.how_to_read", lambda *_, **__: reading)
    assert set_to(other.model, reading)
    report = _teach(other, _training(), on_pass=lambda run: readings.append(run.reading))
    assert readings[-1] == reading
    for mine, theirs in zip(report.losses, expected.losses, strict=True):
        assert math.isclose(mine.total, theirs.total, rel_tol=1e-4)


def _chat_student(family: str) -> Student:
    tokenizer = chat_tokenizer(family)
    return Student(tiny_llama(len(tokenizer), eos_token_id=tokenizer.eos_token_id), tokenizer)


def _frame(student: Student) -> Frame:
    template = ChatTemplate("student", student.tokenizer, ChatSection())
    return student_form("chat", chat=template.frame).frame


@pytest.mark.parametrize(
    ("family", "ends"),
    [
        ("chatml-bare", ["<|endoftext|>", "<|im_end|>"]),  # a base model: its own end is not the template's
        ("gemma", ["<eos>", "<end_of_turn>"]),
        ("phi3", ["<|endoftext|>", "<|end|>"]),
        ("chatml", ["<|im_end|>"]),
        ("glm4", ["<|endoftext|>"]),
    ],
)
def test_a_taught_students_files_name_the_end_it_was_taught(family: str, ends: list[str], tmp_path: Path) -> None:
    student = _chat_student(family)
    frame = _frame(student)
    example = Example("p", f"{frame.before}1+1?{frame.after}", (f"{frame.lead}2{frame.trail}",))
    fine_tune(student.model, student.tokenizer, [example], _training(epochs=1), OBJECTIVE, 0, frame=frame)
    save_student(student.model, student.tokenizer, tmp_path / "student")
    known = end_tokens(load_student(str(tmp_path / "student")).model)
    assert known == set(student.tokenizer.convert_tokens_to_ids(ends))


@pytest.mark.parametrize(("before", "after"), [(None, 258), (257, [257, 258]), ([256, 258], [256, 258])])
def test_a_form_of_plain_text_ends_by_the_tokenizers_end(before: object, after: object) -> None:
    student = _chat_student("chatml-bare")
    student.model.generation_config.eos_token_id = before
    FineTuning(student.model, student.tokenizer, _examples(2), _training(), OBJECTIVE, 3, 0, 1, "auto")
    assert student.model.generation_config.eos_token_id == after


@pytest.mark.parametrize(
    ("family", "same"),
    [
        ("plain", True),
        ("chatml", False),
        ("mistral", False),
        ("glm4", False),  # ends as plain text does, and begins as its template writes
    ],
)
def test_a_form_of_plain_text_leaves_a_trainings_identity_alone(family: str, same: bool) -> None:
    student = _chat_student("chatml" if family == "plain" else family)
    frames = [None, default_form().frame if family == "plain" else _frame(student)]
    unframed, framed = (
        FineTuning(student.model, student.tokenizer, _examples(2), _training(), OBJECTIVE, 3, 0, 1, "auto", frame)
        for frame in frames
    )
    assert (unframed.identity == framed.identity) is same


def test_a_training_in_a_chat_template_resumes_as_it_went_on(tmp_path: Path) -> None:
    def taught(stop_after: int | None, resume: Path | None = None) -> Student:
        student = _chat_student("qwen3")
        frame = _frame(student)
        examples = [
            Example(f"p{i}", f"{frame.before}{i}+1?{frame.after}", (f"{frame.lead}{i + 1} <|im_end|>",))
            for i in range(4)
        ]

        def keep(run: FineTuning) -> None:
            if run.passes == stop_after:
                run.save(tmp_path / "state.pt")

        fine_tune(
            student.model, student.tokenizer, examples, _training(), OBJECTIVE, 3, frame=frame, on_pass=keep,
            resume=resume,
        )  # fmt: skip
        return student

    whole = taught(1)
    assert torch.equal(_weights(whole), _weights(taught(None, tmp_path / "state.pt")))
