"""How a student is served is checked before anything starts, and its chats are rendered in its form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from ray.serve.schema import ServeDeploySchema

from reasoning.prompts.frame import Frame
from reasoning.prompts.student_forms import student_prompt
from serve.door.limits import DoorSection
from serve.serving import QUESTION, StudentServing, chat_template
from tests.conftest import ROOT
from tests.tiny_students import byte_tokenizer


def test_a_template_may_hold_any_character() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = chat_template(Frame.around("Frage \U0001f600 — ", " ⟹"))
    rendered = tokenizer.apply_chat_template([{"role": "user", "content": "wieviel?"}], tokenize=False)
    assert rendered == "Frage \U0001f600 — wieviel? ⟹"


def test_a_chat_is_rendered_in_the_form_that_is_named_or_the_tokenizers_or_the_default_one() -> None:
    tokenizer, serving = byte_tokenizer(), StudentServing(checkpoint="org/name")
    question = 'A "quoted" {{ question }}\nwith a second line?'
    frame = serving.frame_for(tokenizer)
    assert frame is not None
    tokenizer.chat_template = chat_template(frame)
    messages = [{"role": "user", "content": question}]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == student_prompt(question)
    assert serving.frame_for(tokenizer) is None
    named = StudentServing(checkpoint="org/name", prompt=f"<s>{QUESTION}!").frame_for(tokenizer)
    assert named == Frame.around("<s>", "!")


def test_serving_arguments_are_checked_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no student there"):
        StudentServing(checkpoint=str(tmp_path))
    with pytest.raises(ValidationError, match="model_nam"):
        StudentServing.model_validate({"checkpoint": "org/name", "model_nam": "x"})
    (tmp_path / "config.json").write_text('{"model_type": "t5", "is_encoder_decoder": true}', encoding="utf-8")
    with pytest.raises(ValidationError, match="an encoder-decoder, which vLLM does not serve"):
        StudentServing(checkpoint=str(tmp_path))
    assert StudentServing(checkpoint="org/name").checkpoint == "org/name"


@pytest.mark.parametrize(
    ("replicas", "said"),
    [
        ({"replicas": 0}, "replicas: 0 needs most_replicas"),
        ({"replicas": 3, "most_replicas": 2}, "2 is less than replicas, 3"),
        ({"replicas": -1}, "greater than or equal to 0"),
        ({"replicas": 0, "most_replicas": 1, "idle_s": 0}, "greater than 0"),
        ({"most_replicas": 0}, "greater than or equal to 1"),
    ],
)
def test_replicas_that_cannot_be_are_refused(replicas: dict[str, int], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        StudentServing.model_validate({"checkpoint": "org/name", **replicas})


@pytest.mark.parametrize("defaults", ["examined", "published"])
def test_the_most_tokens_of_an_answer_are_the_engines_to_keep(defaults: Any) -> None:
    free = StudentServing(checkpoint="org/name", defaults=defaults).decoding()
    limited = StudentServing(checkpoint="org/name", defaults=defaults, door=DoorSection(max_tokens=64)).decoding()
    assert limited["override_generation_config"]["max_new_tokens"] == 64
    assert {**limited, "override_generation_config": free.get("override_generation_config", {})} == {
        **free,
        "override_generation_config": free.get("override_generation_config", {}),
    }
    assert "max_new_tokens" not in str(free)


def test_weights_are_named_after_their_folder_where_nobody_names_them(tmp_path: Path) -> None:
    assert StudentServing(checkpoint="org/name").weights().version == "org/name"
    assert StudentServing(checkpoint="org/name", version="mine").weights().version == "mine"


def test_the_shipped_configuration_is_one_that_serve_and_the_student_take(tmp_path: Path) -> None:
    shipped = (ROOT / "serve" / "config.yaml").read_text(encoding="utf-8")
    config = ServeDeploySchema.model_validate(yaml.safe_load(shipped))
    (application,) = config.applications
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    serving = StudentServing.model_validate({**application.args, "checkpoint": str(tmp_path)})
    assert application.name == f"student-{serving.model_name}"
    assert serving.prompt == student_prompt(QUESTION)
    commented = yaml.safe_load(shipped.replace("# keys_file", "keys_file"))["applications"][0]["args"]["door"]
    assert DoorSection.model_validate(commented).keys_file == "/etc/tailor/keys"
    assert config.http_options.host == "127.0.0.1"  # nobody else reaches it before it has keys


def adapter(folder: Path, rank: int) -> dict[str, Any]:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(f'{{"r": {rank}}}', encoding="utf-8")
    answers = {"task": "fruit", "kind": "number"}
    return {"checkpoint": str(folder), "version": f"{folder.name}/1", "probe": "/there.json", "answers": answers}


def test_adapters_are_served_by_their_names_in_the_place_of_their_model(tmp_path: Path) -> None:
    adapters = {name: adapter(tmp_path / name, rank) for name, rank in (("a", 4), ("b", 24))}
    serving = StudentServing.model_validate({"checkpoint": "org/name", "model_name": "base", "adapters": adapters})
    assert (serving.names, serving.most_rank) == (("a", "b"), 24)
    assert serving.model_copy(update={"adapter_rank": 64}).most_rank == 64
    weights = serving.weights().by_name("base")
    assert {name: one.version for name, one in weights.items()} == {"a": "a/1", "b": "b/1"}
    assert StudentServing(checkpoint="org/name").names == ("student",)
    with pytest.raises(ValidationError, match="b is the name of the model that they are adapters of"):
        StudentServing.model_validate({"checkpoint": "org/name", "model_name": "b", "adapters": adapters})
    with pytest.raises(ValidationError, match="no adapter can be read there"):
        adapters["a"]["checkpoint"] = str(tmp_path)
        StudentServing.model_validate({"checkpoint": "org/name", "model_name": "base", "adapters": adapters})
    del adapters["a"]["probe"]
    with pytest.raises(ValidationError, match=r"a\.probe"):
        StudentServing.model_validate({"checkpoint": "org/name", "model_name": "base", "adapters": adapters})
