"""`make demo`: the main job on real parts, then the graduate at work.

Owns: the quickstart run, serving its student by Ray Serve, held-out questions asked through the stock `openai` client.
It needs no key, no GPU, no network, and leaves nothing running. A second call resumes, and so shows the result again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from pipelines.errors import told_plainly
from pipelines.serving.graduate import curl_line, graduate_of, serving_of
from reasoning.files.resources import resource
from reasoning.teacher.finish_reasons import is_whole

RECIPE = resource("recipes", "quickstart.yaml")
QUESTIONS = 3


def demo(console: Console, path: Path = RECIPE) -> None:
    """Runs the recipe at `path`, serves the best student and asks it questions it was never taught."""
    import openai
    from ray import serve as ray_serve

    from actors.ray_api.nodes import on_one_node
    from pipelines.run.served_teachers import own_serve
    from pipelines.run.tailored import run
    from reasoning.grading.answers import grade
    from reasoning.recipe.tailored import load_recipe
    from reasoning.tasks.loading import load_problems, spec_of
    from serve.student import deploy_student

    started = time.monotonic()
    recipe = load_recipe(path)
    finished = run(recipe, str(path), console)
    graduate = graduate_of(finished.directory, None)
    console.print(f"\nServing the student of round {graduate.round} with Ray Serve ...", soft_wrap=True)
    form = finished.directory.form()
    with own_serve():
        base_url = deploy_student(serving_of(finished.directory, graduate))
        try:
            client = openai.OpenAI(base_url=base_url, api_key="none", timeout=60)
            problems = load_problems(recipe.task, recipe.seed).test[:QUESTIONS]
            for problem in problems:
                completion = client.completions.create(
                    model=graduate.name,
                    prompt=form.prompt(problem.question),
                    max_tokens=recipe.student.max_new_tokens or spec_of(recipe.task).max_new_tokens,
                    temperature=0,
                )
                text = completion.choices[0].text
                prediction, verdict = grade(text, is_whole(completion.choices[0].finish_reason), problem)
                console.print(f"\n[bold]Question[/bold]  {escape(problem.question)}", soft_wrap=True, highlight=False)
                console.print(f"[bold]Student[/bold]   {escape(text.strip())}", soft_wrap=True, highlight=False)
                console.print(
                    f"[bold]Answer[/bold]    {escape(str(prediction))} ({verdict}; gold {problem.answer})",
                    highlight=False,
                )
            console.print(
                "\nTo ask it with curl while it is served (`tailor serve " + str(finished.directory.path) + "`):",
                markup=False,
            )
            line = curl_line("http://127.0.0.1:8000/v1", graduate.name, form.prompt(problems[0].question))
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        finally:
            if not on_one_node():  # a cluster of this program's own ends with it
                ray_serve.delete("student")
    console.print(f"\nDone in {time.monotonic() - started:.0f} s.")


def ending(work: Callable[[], None]) -> int:
    """Does `work` as a program: the exit status, Ray stopped whichever way it ended."""
    import ray
    import typer

    try:
        with told_plainly():
            work()
    except typer.Exit as ended:
        return ended.exit_code
    finally:
        ray.shutdown()
    return 0
