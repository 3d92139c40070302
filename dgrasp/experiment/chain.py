"""The paper's experiment as a chain of stages; each makes what it needs, resumes, and is done once.

scenes -> demonstrations -> Phi (NeRF) -> Psi (Base, dGrasp) -> tuned optimizers -> trials -> table
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import joblib

from dgrasp.cell.observer import Observer
from dgrasp.data.generate import generate_demonstrations
from dgrasp.evaluation.study.stage import TuningRecipe, tune_policy, tuning_run
from dgrasp.evaluation.table import EvaluationRecipe, evaluate
from dgrasp.evaluation.workers import PolicySource
from dgrasp.experiment.profiles import Profile, load_profile
from dgrasp.nerf.model import MVNeRF
from dgrasp.nerf.pretrain import load_nerf, pretrain
from dgrasp.policy.policies import GraspPolicy, policy_spec
from dgrasp.runs import Run
from dgrasp.sim.objects.ycb import ycb_models
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.twin.sweep import SweepRecipe, sweep
from dgrasp.twin.trials import TwinTrialsRecipe, twin_trials
from dgrasp.value.config import ValueConfig
from dgrasp.value.function import GraspValue
from dgrasp.value.models import ValueRecipe
from dgrasp.value.training import load_value, train_value, value_run


@dataclass(frozen=True)
class Experiment:
    """One profile, one seed, one build folder. Stages that are complete are only read."""

    profile: Profile
    build: Path
    seed: int = 0

    @classmethod
    def at(cls, profile: str, build: str | Path, seed: int = 0) -> Experiment:
        """From a notebook's parameters, with the project's figure style switched on.

        The profile "recorded" stands for the experiment on record (`dgrasp.experiment.record`): its stages are read.
        """
        from dgrasp.experiment import record  # which is made of experiments, as is the report
        from dgrasp.report.outputs import use_style

        use_style()
        if profile == record.NAME:
            return record.RecordedExperiment.read(build, seed=seed)
        return cls(load_profile(profile), Path(build), seed)

    @property
    def figures(self) -> Path:
        """Where figures and tables of this run go."""
        return self.build / "figures"

    def demonstrations(self) -> Run:
        """Demonstrations by the oracle (Sec. 4.1)."""
        p = self.profile
        return generate_demonstrations(p.data, p.cell, self.build, seed=self.seed, workers=p.runtime.workers)

    def training_data(self) -> Run:
        """The demonstrations that the models were trained on: summary, manifest, data card."""
        return self.demonstrations()

    def nerf(self) -> Run:
        """Phi, pre-trained for novel view synthesis on the training scenes alone."""
        runtime = self.profile.runtime
        return pretrain(
            self.profile.nerf,
            self.demonstrations(),
            self.build,
            seed=self.seed,
            device=runtime.device,
            devices=runtime.devices,
            threads=runtime.threads,
        )

    def value(self, model: str) -> Run:
        """Psi of one model: base, dgrasp_quat, dgrasp_6d or base_control."""
        ValueRecipe(model=model, value=self.profile.value)  # refuses an unknown model before anything is computed
        runtime = self.profile.runtime
        return train_value(
            *self._value_inputs(),
            model=model,
            seed=self.seed,
            device=runtime.device,
            devices=runtime.devices,
            threads=runtime.devices,  # models train side by side, one thread each
        )

    def values(self) -> dict[str, Run]:
        """All models that the profile's policies need, trained side by side, or each on all of several devices.

        Models that are the same, as is the control where it has Base's number of poses, share one run.
        """
        models = list(dict.fromkeys(policy_spec(p).model for p in self.profile.evaluation.policies))
        runs = {model: value_run(*self._value_inputs(), model=model, seed=self.seed) for model in models}
        missing = {run.path: model for model, run in runs.items() if not run.complete}
        self._side_by_side(self.value, list(missing.values()), at_once=1 if self.profile.runtime.devices > 1 else None)
        return runs

    def _value_inputs(self) -> tuple[ValueConfig, Run, Run, Path]:
        return self.profile.value, self.nerf(), self.demonstrations(), self.build

    def _side_by_side(self, stage: Callable[[str], Run], names: list[str], at_once: int | None = None) -> None:
        if names:
            workers = at_once or self.profile.runtime.workers
            joblib.Parallel(n_jobs=workers)(joblib.delayed(stage)(name) for name in names)

    def load_value(self, model: str) -> GraspValue:
        """A trained Psi, ready to score poses."""
        return load_value(self.value(model), self.nerf())

    def tuned(self, policy: str) -> Run:
        """The tuning study of one policy (Sec. 3.3, 4.2); raises ValueError, at once, for an unknown one."""
        policy_spec(policy)
        runtime = self.profile.runtime
        return tune_policy(
            *self._tuning_inputs(policy), seed=self.seed, storage=runtime.studies, workers=runtime.study_workers
        )

    def tuning(self) -> dict[str, Run]:
        """The studies of all policies, side by side."""
        self.values()
        runs = {p: tuning_run(*self._tuning_inputs(p), seed=self.seed) for p in self.profile.evaluation.policies}
        self._side_by_side(self.tuned, [policy for policy, run in runs.items() if not run.complete])
        return runs

    def _tuning_inputs(self, policy: str) -> tuple[PolicySource, TuningRecipe, Path]:
        p = self.profile
        recipe = TuningRecipe(
            optimizer=p.optimizer, tuning=p.tuning, validation=p.validation, cell=p.cell, observer=self.observer
        )
        return self.source(policy, p.optimizer), recipe, self.build

    def source(self, policy: str, optimizer: OptimizerConfig) -> PolicySource:
        """A policy's recorded parts with the given optimizer settings."""
        model = policy_spec(policy).model
        return PolicySource(
            policy,
            self.nerf(),
            self.value(model),
            optimizer,
            workspace=self.profile.value.workspace,
            device=self.profile.runtime.device,
        )

    def optimizer(self, policy: str) -> OptimizerConfig:
        """The tuned settings of a policy."""
        return OptimizerConfig.model_validate(self.tuned(policy).summary["optimizer"])

    def policy(self, name: str, **changes: object) -> GraspPolicy:
        """A tuned policy, ready to plan; `changes` override its optimizer settings."""
        settings = self.optimizer(name).model_dump() | changes
        return self.source(name, OptimizerConfig.model_validate(settings)).load()

    def evaluation(self) -> Run:
        """All trials of Table 1."""
        p = self.profile
        recipe = EvaluationRecipe(ycb_models=ycb_models(), evaluation=p.evaluation, cell=p.cell, observer=self.observer)
        tuned = self.tuning()
        sources = {name: self.source(name, self.optimizer(name)) for name in p.evaluation.policies}
        return evaluate(recipe, sources, tuned, self.build, seed=self.seed, workers=p.runtime.workers)

    def twin_trials(self) -> Run:
        """The trials of Table 2 in the twin: every policy, every object, logged as real trials are."""
        p = self.profile
        recipe = TwinTrialsRecipe(trials=p.twin.trials, twin=p.twin.reality, cell=p.cell, observer=self.observer)
        sources = {name: self.source(name, self.optimizer(name)) for name in p.evaluation.policies}
        return twin_trials(recipe, sources, self.tuning(), self.build, seed=self.seed, workers=p.runtime.workers)

    def calibration_sweep(self) -> Run:
        """Success in the twin against calibration error."""
        p = self.profile
        recipe = SweepRecipe(sweep=p.twin.sweep, twin=p.twin.reality, cell=p.cell, observer=self.observer)
        tuned = {name: self.tuned(name) for name in p.twin.sweep.policies}
        sources = {name: self.source(name, self.optimizer(name)) for name in tuned}
        return sweep(recipe, sources, tuned, self.build, seed=self.seed, workers=p.runtime.workers)

    @property
    def observer(self) -> Observer:
        """What policies see of the scene in a cell."""
        data = self.profile.data
        return Observer(views=self.profile.evaluation.views, width=data.width, height=data.height)

    def used(self) -> dict[str, Run]:
        """The runs behind the policies, for the provenance of figures and tables."""
        return {"demonstrations": self.training_data(), "nerf": self.nerf(), **self.values(), **self.tuning()}

    def load_nerf(self) -> MVNeRF:
        """The frozen Phi."""
        return load_nerf(self.nerf())
