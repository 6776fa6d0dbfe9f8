"""The coordinator of a Fine-tune-CoT run: one actor that takes its directory to its end.

Owns: nothing but the hand-over: what each step does is in `reasoning.fine_tune_cot.phases`, their order in
`reasoning.fine_tune_cot.order`, the life of the other actors in `actors.coordinator`. One set of samplers and one
trainer serve all degrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from actors.classroom import ClusterClassroom
from actors.coordinator import AnyCoordinator
from actors.journal.sums import JournalSums
from actors.storage.keeping import Home
from reasoning.fine_tune_cot.directory import CotDirectory
from reasoning.fine_tune_cot.order import Collect, DegreeStep
from reasoning.fine_tune_cot.phases import do, work_left
from reasoning.prompts.run_prompts import RunPrompts
from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe
from reasoning.recipe.tailored import RunRecipe
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import Finished, Phase
from reasoning.tasks.loading import TaskData


@dataclass(frozen=True, slots=True)
class CotOutcome:
    """How a run ended: why, and the journal's account. What was made is in its directory."""

    reason: str
    journal: JournalSums


class CotCoordinator(AnyCoordinator[Collect | DegreeStep, CotOutcome]):
    """Runs one recipe of Fine-tune-CoT in its directory."""

    def __init__(
        self,
        recipe: FineTuneCotRecipe,
        directory: CotDirectory,
        data: TaskData,
        prompts: RunPrompts,
        base_urls: Mapping[str, str],
        home: Home,
    ) -> None:
        shared = recipe.at_degree(recipe.fine_tuning.collected)
        super().__init__(shared, directory.collection, data, prompts, base_urls, home)
        self._own_recipe = recipe
        self._own_directory = directory

    async def run(self) -> CotOutcome:
        """From the last finished step to the end of the run."""
        return CotOutcome(*await self.finish())

    def next_work(self) -> Collect | DegreeStep | Finished:
        return work_left(self._own_recipe, self._own_directory)

    def trains(self, work: Collect | DegreeStep) -> bool:
        return isinstance(work, DegreeStep) and work.phase is Phase.TRAIN

    def tracked(self) -> RunRecipe:
        return self._own_recipe

    def before(self) -> list[RunDirectory]:
        own = self._own_directory
        # Collecting more reads what was collected again, from the journal, and counts it then.
        collected = [] if isinstance(self.next_work(), Collect) else [own.collection]
        return [*collected, *(own.degree(degree) for degree in own.degrees())]

    async def do(self, classroom: ClusterClassroom, work: Collect | DegreeStep) -> None:
        await do(classroom, self._own_recipe, self._own_directory, work)
