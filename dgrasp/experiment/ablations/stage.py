"""The ablations of an experiment: readouts trained side by side, tried arm by arm, and whatever is done can be read.

    Phi (the experiment's, or an arm's own) -> readouts of a question's arms in few passes -> attempts of each arm

Everything goes on where it was interrupted. Arms that several questions have are trained and tried once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import joblib

from dgrasp.evaluation.arms import OUTPUTS, STAGE, ArmRecipe, Trained, try_arm
from dgrasp.evaluation.config import TaskBudget
from dgrasp.evaluation.workers import PolicySource
from dgrasp.experiment.chain import Experiment
from dgrasp.experiment.choices import merged
from dgrasp.experiment.questions import SPLIT, AblationsConfig, Arm, Question, questions
from dgrasp.experiment.store import Record, RecordError
from dgrasp.files import DamagedFileError
from dgrasp.jobs.workforce import in_order
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.pretrain import pretrain
from dgrasp.policy.policies import policy_spec
from dgrasp.runs import Run, RunError, only_complete, open_run
from dgrasp.sim.objects.ycb import ycb_models
from dgrasp.sim.tasks.paper import own_module
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.value.config import ValueConfig
from dgrasp.value.draws import SHARED
from dgrasp.value.models import ValueRecipe
from dgrasp.value.pace import equal_time, measured_pace
from dgrasp.value.training import train_runs, value_run


@dataclass(frozen=True)
class Result:
    """An arm that has been tried."""

    question: str
    arm: str
    run: Run


@dataclass(frozen=True)
class Ablations:
    """The ablations of one experiment, on scenes of one split."""

    experiment: Experiment
    split: SPLIT = "ablation"

    @property
    def config(self) -> AblationsConfig:
        return self.experiment.profile.ablations

    def run(self, names: Sequence[str] = ()) -> Iterator[Result]:
        """Ask questions (default: the profile's), a few at a time; each arm is given out when it has been tried."""
        for some in _batched(self.config.names(tuple(names)), self.config.together):
            self._train([questions()[name] for name in some])
            for name in some:
                for arm in questions()[name].arms:
                    yield self._try(name, questions()[name], arm)

    def done(self, names: Sequence[str] = ()) -> list[Result]:
        """The arms that have been tried, as code and settings stand now; nothing is computed."""
        found = []
        with only_complete():
            for name in self.config.names(tuple(names)):
                for arm in questions()[name].arms:
                    try:
                        found.append(Result(name, arm, self._opened(questions()[name], arm)[0]))
                    except (RunError, RecordError, DamagedFileError):
                        continue
        return found

    @cached_property
    def demonstrations(self) -> Run:
        """With scenes: a record's are made again."""
        experiment = self.experiment
        return experiment.training_scenes() if isinstance(experiment.store, Record) else experiment.demonstrations()

    def _try(self, name: str, question: Question, arm: str) -> Result:
        run, source = self._opened(question, arm)
        trained = self._trained(question, arm, source.value)
        workers = self.experiment.profile.runtime.workforce
        shown, seed = self.experiment.example_scenes(), self.experiment.seed
        try_arm(run, source, shown, trained, seed=seed, workers=workers, name=f"{name}: {arm}")
        return Result(name, arm, run)

    def _opened(self, question: Question, arm: str) -> tuple[Run, PolicySource]:
        """The run of an arm's attempts, and what is tried; raises RunError where it is not trained."""
        p, changes = self.experiment.profile, question.arms[arm]
        nerf, value = self._nerf(changes), self._value(question, arm)
        optimizer = self._optimizer(changes)
        source = PolicySource(
            changes.policy, nerf, value, optimizer, workspace=p.value.workspace, device=p.runtime.device
        )
        observer = self.experiment.observer
        if changes.views is not None:
            observer = observer.model_copy(update={"views": changes.views})
        recipe = ArmRecipe(
            policy=changes.policy,
            split=self.split,
            tasks=self._tasks,
            optimizer=optimizer,
            cell=p.cell,
            observer=observer,
            slope=p.value.slope,
            probe_task=next(iter(self.config.tasks)),
            probe_scenes=self.config.probe_scenes,
            probe_starts=self.config.probe_starts,
            ycb_models=ycb_models(),
        )
        code = ("dgrasp.evaluation.arms", *(module for task in recipe.tasks for module in own_module(task)))
        inputs, root = {"nerf": nerf, "value": value}, self.experiment.workspace
        run = open_run(root, STAGE, recipe, inputs=inputs, seed=self.experiment.seed, code=code, outputs=OUTPUTS)
        return run, source

    @property
    def _tasks(self) -> dict[str, TaskBudget]:
        if self.split == "ablation":
            return self.config.tasks
        few = {"scenes": self.config.choice_scenes}
        return {name: budget.model_copy(update=few) for name, budget in self.config.tasks.items()}

    def _train(self, some: Sequence[Question]) -> None:
        """The readouts of the questions' arms that are not there yet, in as few passes as there are workers."""
        p, passes = self.experiment.profile, []
        arms = [(question, name, arm) for question in some for name, arm in question.arms.items()]
        phis = {self._nerf_settings(arm).canonical(): arm for _, _, arm in arms if arm.nerf}
        self._side_by_side([joblib.delayed(self._nerf)(arm) for arm in phis.values()])
        values = [(self._nerf(arm), self._value(question, name)) for question, name, arm in arms]
        for nerf, runs in _compatible(values):
            parts = min(p.runtime.workers, len(runs))
            passes += [(runs[k::parts], nerf) for k in range(parts)]
        demos = self.demonstrations if passes else None
        device = {"device": p.runtime.device, "threads": 1}
        self._side_by_side([joblib.delayed(train_runs)(runs, nerf, demos, **device) for runs, nerf in passes])

    def _side_by_side(self, jobs: list[Any]) -> None:
        in_order(jobs, self.experiment.profile.runtime.workforce.at_most(len(jobs)), self.experiment.workspace)

    def _nerf(self, arm: Arm) -> Run:
        """Phi: the experiment's, or an arm's own, trained for its share of the steps."""
        experiment, runtime = self.experiment, self.experiment.profile.runtime
        if not arm.nerf:
            return experiment.nerf()
        return pretrain(
            self._nerf_settings(arm), self.demonstrations, experiment.workspace,
            seed=experiment.seed, device=runtime.device, threads=1,
        )  # fmt: skip

    def _nerf_settings(self, arm: Arm) -> NerfConfig:
        ours = self.experiment.profile.nerf
        steps = max(1, round(self.config.phi_steps * ours.training.steps))
        warm = {"warmup_steps": min(ours.training.warmup_steps, steps), "steps": steps}
        return NerfConfig.model_validate(merged(merged(_plain(ours), arm.nerf), {"training": warm}))

    def _value(self, question: Question, name: str) -> Run:
        """An arm's readout, complete or not; nothing is trained."""
        experiment, arm = self.experiment, question.arms[name]
        model = policy_spec(arm.policy).model
        if _is_own(question, arm):
            return experiment.value(model)
        steps = self._steps
        if question.as_long_as is not None:
            steps = self._equal_steps(question)[name]
        config, inputs = self._value_settings(arm, steps), (self._nerf(arm), self.demonstrations)
        return value_run(config, *inputs, experiment.workspace, model=model, seed=experiment.seed)

    @property
    def _steps(self) -> int:
        return max(1, round(self.config.steps * self.experiment.profile.value.steps))

    def _equal_steps(self, question: Question) -> dict[str, int]:
        """Steps of each arm in the time that one of them takes."""
        assert question.as_long_as is not None
        return equal_time(self._steps, self._pace(question), question.as_long_as)

    def _pace(self, question: Question) -> dict[str, float]:
        """Processor seconds of a step of each arm, measured in this experiment on the same observations."""
        recipes = {
            name: ValueRecipe(model=policy_spec(arm.policy).model, value=self._value_settings(arm, self._steps))
            for name, arm in question.arms.items()
        }
        experiment = self.experiment
        inputs = experiment.nerf(), self.demonstrations, experiment.workspace
        return measured_pace(recipes, *inputs, seed=experiment.seed, steps=self.config.pace_steps)

    def _value_settings(self, arm: Arm, steps: int) -> ValueConfig:
        settings = merged(_plain(self.experiment.profile.value), arm.value)
        often = {"checkpoint_every": self.config.checkpoint_every, "validate_every": steps, "steps": steps}
        return ValueConfig.model_validate(settings | often | _multiplied(settings, arm, "value"))

    def _optimizer(self, arm: Arm) -> OptimizerConfig:
        """The untuned settings, the same for all arms but for what an arm changes."""
        settings = merged(_plain(self.experiment.profile.optimizer), arm.optimizer)
        more = _multiplied(settings, arm, "optimizer")
        if "n_starts" in more:
            more |= OptimizerConfig.model_validate(settings).times(arm.times["optimizer.n_starts"])
        return OptimizerConfig.model_validate(settings | more)

    def _trained(self, question: Question, arm: str, value: Run) -> Trained:
        """Steps and minutes: by the measured pace where times are to be equal, else the arm's share of its pass."""
        assert isinstance(value.recipe, ValueRecipe)
        steps, seconds = value.recipe.value.steps, value.seconds
        if question.as_long_as is not None:
            seconds = steps * self._pace(question)[arm]
        return Trained(steps, seconds / 60)


def _batched(names: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """The names in order, `size` at a time."""
    left = iter(names)
    while some := tuple(islice(left, size)):
        yield some


def _is_own(question: Question, arm: Arm) -> bool:
    """Whether an arm uses the experiment's own readout."""
    trained = arm.value or arm.nerf or any(key.startswith("value.") for key in arm.times)
    return question.own and not trained


def _compatible(runs: list[tuple[Run, Run]]) -> list[tuple[Run, list[Run]]]:
    """Pairs of Phi and incomplete readout, those together that one pass can train."""
    groups: dict[tuple[Any, ...], tuple[Run, list[Run]]] = {}
    for nerf, value in {(v.path, n.path): (n, v) for n, v in runs}.values():
        if not value.complete:
            assert isinstance(value.recipe, ValueRecipe)
            seen = tuple(repr(getattr(value.recipe.value, name)) for name in SHARED)
            groups.setdefault((nerf.path, seen), (nerf, []))[1].append(value)
    return list(groups.values())


def _multiplied(settings: dict[str, Any], arm: Arm, group: str) -> dict[str, Any]:
    """The numbers that an arm multiplies; `group`: of which part of a profile."""
    names = {key.partition(".")[2]: factor for key, factor in arm.times.items() if key.startswith(f"{group}.")}
    return {name: factor * settings[name] for name, factor in names.items()}


def _plain(config: Any) -> dict[str, Any]:
    plain: dict[str, Any] = config.model_dump(mode="json")
    return plain
