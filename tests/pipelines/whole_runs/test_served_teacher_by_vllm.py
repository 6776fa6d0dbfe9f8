"""A teacher that the run serves itself on the cluster, beside another place that answers for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from actors.starting import close_journal, start_journal, start_pool
from pipelines.run.served_teachers import deploy_teachers, remove_teachers
from reasoning.recipe.tailored import Recipe
from reasoning.teacher.calls import TeacherReply, TeacherRequest
from tests.actors.scripted_server import Server


@pytest.mark.slow
@pytest.mark.engine
def test_a_model_of_ones_own_is_just_another_endpoint(serve_port: int, embedded_student: Path, tmp_path: Path) -> None:
    """vLLM behind Ray Serve, and a plain server: both are asked, in the name of one teacher. About a minute."""
    with Server() as other:
        recipe = Recipe.model_validate(
            {
                "teacher": {
                    "kind": "serve",
                    "model": str(embedded_student),
                    "max_in_flight": 4,
                    "endpoints": [{"base_url": other.base_url, "model": "m", "max_in_flight": 4}],
                }
            }
        )
        addresses = deploy_teachers(recipe, loopback=True)
        (name,) = addresses

        async def scenario() -> list[TeacherReply]:
            journal = start_journal(tmp_path / "journal.sqlite")
            settings = recipe.teacher.settings(addresses)
            pool = start_pool(settings, journal)
            teacher = recipe.teacher
            asked = [
                TeacherRequest(teacher.name, teacher.model, (("user", f"Is {n} even?"),), 0.7, 16) for n in range(40)
            ]
            outcomes = await asyncio.gather(*(pool.ask(request) for request in asked))
            await pool.close()
            sums = await close_journal(journal)
            assert sums.all.settled == 0  # what is served here has no price
            assert all(isinstance(outcome, TeacherReply) for outcome in outcomes)
            return outcomes  # type: ignore[return-value]

        try:
            replies = asyncio.run(asyncio.wait_for(scenario(), 120))
        finally:
            remove_teachers(recipe)
        assert name.startswith("model-")
        by_model = {reply.model for reply in replies}
        assert by_model == {str(embedded_student), "m-1"}
        assert 0 < len(other.sent) < 40
        assert all(sent["model"] == "m" for sent in other.sent)
