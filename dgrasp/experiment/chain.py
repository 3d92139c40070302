"""The paper's experiment as a chain of stages; each makes what it needs, resumes, and is done once.

scenes -> demonstrations -> Phi (NeRF) -> Psi (Base, dGrasp) -> tuned optimizers -> trials -> table
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import joblib

from dgrasp.cell.observer import Observer
from dgrasp.data.config import DataConfig, DemonstrationsRecipe
from dgrasp.data.generate import generate_demonstrations
from dgrasp.evaluation.outcomes import OutcomesRecipe, try_grasps
from dgrasp.evaluation.stage import PolicyStage
from dgrasp.evaluation.stage import Recipe as TheirRecipe
from dgrasp.evaluation.study.stage import TuningRecipe, tune_policy, tuning_run
from dgrasp.evaluation.table import EvaluationRecipe, evaluate
from dgrasp.evaluation.workers import PolicySource
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.experiment.store import Build, Record, Store, published_name
from dgrasp.jobs.workforce import in_order
from dgrasp.nerf.config import NerfConfig
from dgrasp.nerf.model import MVNeRF
from dgrasp.nerf.pretrain import check_weights, load_nerf, pretrain
from dgrasp.policy.policies import GraspPolicy, policy_spec
from dgrasp.runs import Run, RunError, only_complete
from dgrasp.sim.objects.ycb import ycb_models
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.streams import check_seed
from dgrasp.twin.sweep import SweepRecipe, sweep
from dgrasp.twin.trials import TwinTrialsRecipe, twin_trials
from dgrasp.value.config import ValueConfig
from dgrasp.value.function import GraspValue
from dgrasp.value.models import ValueRecipe
from dgrasp.value.training import SecondRound, load_value, train_values, value_run


@dataclass(frozen=True)
class Experiment:
    """One profile, one seed, and the store of its stages: a `Build`, which makes them, or a `Record`, which reads."""

    profile: Profile
    store: Store
    seed: int = 0

    @classmethod
    def open(cls, profile: str, build: str | Path, seed: int = 0) -> Experiment:
        """The experiment of a profile (its name, or the path of a YAML file) with its runs below the folder `build`.

        The profile "published" stands for the published experiment, "published:NAME" for another one: its stages are
        read, and only what is new goes to `build`. seed: an integer, 0 to 2**63 - 1. Raises ValueError for another one,
        ProfileError for an unknown profile, RecordError for an experiment or a seed that is not published.
        """
        seed = check_seed(seed)
        name = published_name(str(profile))
        if name is None:
            return cls(load_profile(profile), Build(Path(build)), seed)
        record = Record.published(name, Path(build), seed)
        return cls(record.profile, record, record.seed)

    @classmethod
    def at(cls, profile: str, build: str | Path, seed: int = 0) -> Experiment:
        """The old name of `open`."""
        warnings.warn("Experiment.at is called Experiment.open now", DeprecationWarning, stacklevel=2)
        return cls.open(profile, build, seed)

    @property
    def workspace(self) -> Path:
        """Where new runs of this experiment go."""
        return self.store.workspace

    @property
    def figures(self) -> Path:
        """Where figures and tables of this experiment go."""
        return self.workspace / "figures"

    def demonstrations(self) -> Run:
        """The oracle's demonstrations (Sec. 4.1) that the models were trained on: summary, manifest, data card.

        A record holds no scenes: see `example_scenes` and `training_scenes`.
        """
        return self.store.run("demonstrations", DemonstrationsRecipe, partial(self._scenes, self.profile.data))

    def example_scenes(self) -> Run:
        """Demonstrations for figures, with their scenes: a build's own; of a record some of them, made again.

        They are those of the training where simulator and processor do the same as then: see
        `dgrasp.experiment.record.identical_scenes`.
        """
        return self._scenes(self.store.example_data(self.profile.data), self.workspace)

    def training_scenes(self) -> Run:
        """All demonstrations, with their scenes: a build's own; of a record all of them, made again."""
        return self._scenes(self.profile.data, self.workspace)

    def _scenes(self, data: DataConfig, root: Path) -> Run:
        p = self.profile
        return generate_demonstrations(data, p.cell, root, seed=self.seed, workers=p.runtime.workforce)

    def nerf(self) -> Run:
        """Phi, pre-trained for novel view synthesis on the training scenes alone."""
        return self.store.run("nerf", NerfConfig, self._pretrain)

    def _pretrain(self, root: Path) -> Run:
        p, runtime = self.profile, self.profile.runtime
        try:
            with only_complete():
                self.demonstrations()
        except RunError:
            check_weights(p.nerf)  # now, and not after the scenes
        return pretrain(
            p.nerf,
            self.demonstrations(),
            root,
            seed=self.seed,
            device=runtime.device,
            devices=runtime.devices,
            threads=runtime.threads,
        )

    def value(self, model: str) -> Run:
        """Psi of one model: base, dgrasp_quat, dgrasp_6d or base_control."""
        return self._value(model, lambda root: self._train(root, [model])[model])

    def values(self) -> dict[str, Run]:
        """All models that the profile's policies need, trained in one pass.

        Models that are the same, as is the control where it has Base's number of poses, share one run.
        """
        models = dict.fromkeys(policy_spec(p).model for p in self.profile.evaluation.policies)
        runs = {model: self._value_so_far(model) for model in models}
        missing = {run.path: model for model, run in runs.items() if not run.complete}
        if missing:
            self._train(self.workspace, list(missing.values()))
        return runs

    def _train(self, root: Path, models: list[str]) -> dict[str, Run]:
        return self._trained(root, models, self.second_round(models))

    def _trained(self, root: Path, models: list[str], second: SecondRound | None) -> dict[str, Run]:
        runtime = self.profile.runtime
        return train_values(
            *self.value_inputs(second),
            root,
            models=models,
            seed=self.seed,
            device=runtime.device,
            devices=runtime.devices,
            threads=runtime.threads,
            second=second,
        )

    def outcomes(self) -> Run:
        """The policies' own grasps on training scenes after the first round; ValueError for a profile without it."""
        return self.store.run("outcomes", OutcomesRecipe, self._try_grasps)

    def _try_grasps(self, root: Path) -> Run:
        p, asked = self.profile, self.profile.outcomes
        if asked is None:
            raise ValueError(f"profile {p.name!r} has no `outcomes`: its readouts are trained in one round")
        first = self._first_round(root)
        sources = {name: self._source(name, first[policy_spec(name).model], p.optimizer) for name in asked.policies}
        views, count = p.evaluation.views, asked.demonstrations
        recipe = OutcomesRecipe(
            policies=asked.policies,
            demonstrations=count,
            views=views,
            cell=p.cell,
            optimizer=p.optimizer,
            fingers=p.fingers,
        )
        return try_grasps(recipe, sources, self.demonstrations(), root, seed=self.seed, workers=p.runtime.workforce)

    def _first_round(self, root: Path, further: Iterable[str] = ()) -> dict[str, Run]:
        assert self.profile.outcomes is not None
        policies = (*self.profile.evaluation.policies, *self.profile.outcomes.policies)
        models = dict.fromkeys((*(policy_spec(name).model for name in policies), *further))
        return self._trained(root, list(models), None)

    def second_round(self, models: Iterable[str] = ()) -> SecondRound | None:
        """What the readouts' second round goes on from; None where there is one round.

        models: such as no policy of the profile needs.
        """
        if self.profile.outcomes is None:
            return None
        first = self._first_round(self.workspace, models)
        trained = {run.recipe.model: run for run in first.values() if isinstance(run.recipe, ValueRecipe)}
        return SecondRound(self.outcomes(), {(model, 0): run for model, run in trained.items()})

    def _value_so_far(self, model: str) -> Run:
        def so_far(root: Path) -> Run:
            second = self.second_round([model])
            return value_run(*self.value_inputs(second), root, model=model, seed=self.seed, second=second)

        return self._value(model, so_far)

    def _value(self, model: str, make: Callable[[Path], Run]) -> Run:
        recipe = ValueRecipe(model=model, value=self.profile.value)  # refuses an unknown model, and computes nothing
        return self.store.run(f"value-{recipe.trained_as}", ValueRecipe, make)

    def value_inputs(self, second: SecondRound | None = None) -> tuple[ValueConfig, Run, Run]:
        """Settings, Phi and demonstrations of a round of Psi's training: the first, or `second`."""
        value, asked = self.profile.value, self.profile.outcomes
        if second is not None and asked is not None:
            negatives = value.negatives.model_copy(update={"outcome_share": asked.share})
            changes = {
                "steps": asked.steps,
                "learning_rate": asked.learning_rate,
                "negatives": negatives,
                "tried_share": asked.tried_share,
            }
            value = ValueConfig.model_validate(value.model_copy(update=changes).model_dump())
        return value, self.nerf(), self.demonstrations()

    def _side_by_side(self, stage: Callable[[str], Run], names: list[str]) -> None:
        if names:
            in_order([joblib.delayed(stage)(name) for name in names], self.profile.runtime.workforce, self.workspace)

    def load_nerf(self) -> MVNeRF:
        """The frozen Phi."""
        return load_nerf(self.nerf())

    def load_value(self, model: str) -> GraspValue:
        """A trained Psi, ready to score poses."""
        return load_value(self.value(model), self.nerf())

    def tuned(self, policy: str) -> Run:
        """The tuning study of one policy (Sec. 3.3, 4.2); raises ValueError, at once, for an unknown one."""
        runtime = self.profile.runtime
        return self._study(
            policy,
            lambda root: tune_policy(
                *self._tuning_inputs(policy),
                root,
                seed=self.seed,
                storage=runtime.studies,
                workers=runtime.study_workers,
            ),
        )

    def tuning(self) -> dict[str, Run]:
        """The studies of all policies, side by side."""
        self.values()
        runs = {policy: self._study_so_far(policy) for policy in self.profile.evaluation.policies}
        self._side_by_side(self.tuned, [policy for policy, run in runs.items() if not run.complete])
        return runs

    def _study_so_far(self, policy: str) -> Run:
        return self._study(policy, lambda root: tuning_run(*self._tuning_inputs(policy), root, seed=self.seed))

    def _study(self, policy: str, make: Callable[[Path], Run]) -> Run:
        return self.store.run(f"tuning-{policy_spec(policy).name}", TuningRecipe, make)

    def _tuning_inputs(self, policy: str) -> tuple[PolicySource, TuningRecipe]:
        p = self.profile
        recipe = TuningRecipe(
            optimizer=p.optimizer,
            fingers=p.fingers,
            tuning=p.tuning,
            validation=p.validation,
            cell=p.cell,
            observer=self.observer,
        )
        return self.source(policy, p.optimizer), recipe

    def source(self, policy: str, optimizer: OptimizerConfig) -> PolicySource:
        """A policy's trained parts with the given optimizer settings."""
        return self._source(policy, self.value(policy_spec(policy).model), optimizer)

    def _source(self, policy: str, value: Run, optimizer: OptimizerConfig) -> PolicySource:
        p = self.profile
        return PolicySource(
            policy,
            self.nerf(),
            value,
            optimizer,
            workspace=p.value.workspace,
            device=p.runtime.device,
            fingers=p.fingers,
        )

    def sources(self, policies: Iterable[str]) -> dict[str, PolicySource]:
        """The trained parts of policies, each with its tuned optimizer."""
        return {name: self.source(name, self.optimizer(name)) for name in policies}

    def optimizer(self, policy: str) -> OptimizerConfig:
        """The tuned settings of a policy."""
        return OptimizerConfig.model_validate(self.tuned(policy).summary["optimizer"])

    def policy(self, name: str, **changes: object) -> GraspPolicy:
        """A tuned policy, ready to plan; `changes` override its optimizer settings."""
        settings = self.optimizer(name).model_dump() | changes
        return self.source(name, OptimizerConfig.model_validate(settings)).load()

    def evaluation(self) -> Run:
        """All trials of Table 1."""
        return self.store.run("evaluation", EvaluationRecipe, self._evaluate)

    def _evaluate(self, root: Path) -> Run:
        return self.try_policies(evaluate, self.evaluation_recipe(), self.tuning(), root)

    def try_policies(
        self,
        stage: PolicyStage[TheirRecipe],
        recipe: TheirRecipe,
        policies: Iterable[str],
        root: Path | None = None,
        seed: int | None = None,
    ) -> Run:
        """The complete run of a stage with these policies, tuned. root, seed: default the experiment's own."""
        tuned = {name: self.tuned(name) for name in policies}
        root, seed = root or self.workspace, self.seed if seed is None else seed
        return stage(recipe, self.sources(tuned), tuned, root, seed=seed, workers=self.profile.runtime.workforce)

    def evaluation_recipe(self, **changes: object) -> EvaluationRecipe:
        """What Table 1 is made from, with other settings of `profile.evaluation` where `changes` says so."""
        p = self.profile
        evaluation = type(p.evaluation).model_validate(p.evaluation.model_dump() | changes)
        return EvaluationRecipe(ycb_models=ycb_models(), evaluation=evaluation, cell=p.cell, observer=self.observer)

    def twin_trials(self) -> Run:
        """The trials of Table 2 in the twin: every policy, every object, logged as real trials are."""
        return self.store.run("twin-trials", TwinTrialsRecipe, self._twin_trials)

    def _twin_trials(self, root: Path) -> Run:
        p = self.profile
        recipe = TwinTrialsRecipe(trials=p.twin.trials, twin=p.twin.reality, cell=p.cell, observer=self.observer)
        return self.try_policies(twin_trials, recipe, self.tuning(), root)

    def calibration_sweep(self) -> Run:
        """Success in the twin against calibration error."""
        return self.store.run("calibration-sweep", SweepRecipe, self._calibration_sweep)

    def _calibration_sweep(self, root: Path) -> Run:
        p = self.profile
        recipe = SweepRecipe(sweep=p.twin.sweep, twin=p.twin.reality, cell=p.cell, observer=self.observer)
        return self.try_policies(sweep, recipe, p.twin.sweep.policies, root)

    @property
    def observer(self) -> Observer:
        """What policies see of the scene in a cell."""
        data = self.profile.data
        return Observer(
            views=self.profile.evaluation.views,
            width=data.width,
            height=data.height,
            description=self.profile.cell.description,
        )

    def used(self) -> dict[str, Run]:
        """The runs behind the policies, for the provenance of figures and tables."""
        return {"demonstrations": self.demonstrations(), "nerf": self.nerf(), **self.values(), **self.tuning()}
