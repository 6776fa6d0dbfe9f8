"""A student that is named as a GGUF file is made of it, before anything else is looked at.

Owns: that it is made once, and what is told of it. Why a file is refused is `reasoning.student.gguf`'s.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from pipelines.run.checks.student_files import PreflightFault
from reasoning.recipe.student import StudentSection


def gguf_faults(student: StudentSection, notes: list[str]) -> Iterator[PreflightFault]:
    """What keeps a GGUF file from being a student; it is one afterwards. `notes` get where it was put."""
    file = student.gguf
    if file is None:
        if _meant(student.model):
            what = f"there is no file {student.model}"
            yield PreflightFault("student.model", what, "Give the path of a GGUF file on this machine")
        return
    started = time.monotonic()
    try:
        folder = Path(student.source)
        made = (folder / "config.json").is_file()
        if not made:
            from reasoning.student.gguf.conversion import make_student
            from reasoning.student.gguf.head import GgufError

            try:
                made = not make_student(file, folder)
            except GgufError as error:
                yield PreflightFault("student.model", error.what, error.cure)
                return
    except OSError as error:
        what = f"the student of {file} cannot be made: {error.strerror or error}"
        yield PreflightFault("student.model", what, "Let this user read it, and give its disk room for the student")
        return
    if not made:
        size = sum(one.stat().st_size for one in folder.iterdir())
        notes.append(
            f"student.model: made of {file.name} once, in {time.monotonic() - started:.0f} s: {folder} "
            f"({size / 1e6:,.0f} MB)."
        )


def _meant(model: str) -> bool:
    """Whether `model` names a GGUF file, which is not there."""
    return model.lower().endswith(".gguf") and not Path(model).expanduser().exists()
