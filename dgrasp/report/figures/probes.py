"""What Phi's scene activations know: along rays of a held-out view, and by a linear probe (notebook 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes

from dgrasp import streams
from dgrasp.cameras import Views
from dgrasp.data.demonstrations import Demonstration, DemonstrationSet
from dgrasp.nerf.batches import source_tensors
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.field import positional_code
from dgrasp.nerf.model import MVNeRF
from dgrasp.nerf.rendering import depth_bounds
from dgrasp.policy.diagnostics import ranking_auc
from dgrasp.report.figures.climbs import at_object
from dgrasp.report.figures.draw import letter_panels
from dgrasp.report.figures.pictures import vertices
from dgrasp.report.outputs import DGRASP_COLOUR, PAPER_COLOUR, Drawn
from dgrasp.report.studio import Studio
from dgrasp.runs import Run
from dgrasp.sim.scene import Scene

Bounds = tuple[tuple[float, float, float], tuple[float, float, float]]
# Of three lines in one plot; Tol's vibrant set, which colour-blind people tell apart.
COMPONENTS: tuple[dict[str, Any], ...] = (
    {"color": "#0077BB"},
    {"color": "#EE7733", "ls": "--"},
    {"color": "#009988", "ls": "-."},
)
DOWN = (0.0, 0.0, -1.0)  # the probe asks Phi as most grasps approach: from above
HEADROOM = 0.25  # metres above the workspace that the probe learns too: rays come from there
ABOUT_OBJECTS = 0.03  # metres around objects, where half of the probe's points lie: elsewhere the question is too easy


def inside_objects(scene: Scene, p_world: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
    """Which points (metres) are inside the convex hull of an object: the simulator's truth."""
    return at_object(scene, p_world, grown=0.0)


@torch.no_grad()
def encode(phi: MVNeRF, views: Views) -> EncodedViews:
    """All views of one scene, encoded together."""
    return phi.project(phi.encode(*source_tensors([views])))


@torch.no_grad()
def activations_at(
    phi: MVNeRF, enc: EncodedViews, p_world: Float[np.ndarray, "n 3"], direction: Sequence[float] = DOWN
) -> Float[np.ndarray, "n features"]:
    """All scene activations at points (metres) seen along one direction, side by side: what the grasp readout gets."""
    points = torch.as_tensor(p_world).float()[None, None]
    along = torch.as_tensor(direction).float()[None, None]
    return phi.activations(enc, points, along)[0, 0].flatten(1).float().numpy()


def code_at(phi: MVNeRF, p_world: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n features"]:
    """Phi's positional code of the points: what is known before any image is looked at."""
    return positional_code(torch.as_tensor(p_world).float(), phi.config.field.position_frequencies).numpy()


def probe_points(
    scene: Scene, bounds: Bounds, n: int, rng: np.random.Generator, headroom: float = 0.0
) -> Float[np.ndarray, "n 3"]:
    """Points in the workspace and `headroom` above it (metres), half of them close to objects."""
    anywhere = rng.uniform(bounds[0], np.add(bounds[1], (0, 0, headroom)), size=(n // 2, 3))
    boxes = [vertices(thing) for thing in scene.objects]
    chosen = rng.integers(len(boxes), size=n - n // 2)
    low, high = (np.array([f(b, axis=0) for b in boxes])[chosen] for f in (np.min, np.max))
    return np.concatenate([anywhere, rng.uniform(low - ABOUT_OBJECTS, high + ABOUT_OBJECTS)])


class LinearProbe:
    """Is a point inside an object? One linear map of the features, by ridge regression on labels 0 and 1.

    What a linear map can read, the first layer of the grasp readout can read.
    """

    def __init__(self, features: Float[np.ndarray, "n d"], inside: Bool[np.ndarray, "n"], ridge: float = 1e-2) -> None:
        self.mean, self.scale = features.mean(axis=0), features.std(axis=0) + 1e-6
        x = self._prepared(features)
        gram = x.T @ x / len(x) + ridge * np.eye(x.shape[1])
        self.weights = np.linalg.solve(gram, x.T @ inside.astype(np.float64) / len(x))

    def __call__(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
        """Near 1 inside objects, near 0 outside."""
        return self._prepared(features) @ self.weights

    def _prepared(self, features: np.ndarray) -> np.ndarray:
        return np.column_stack([(features - self.mean) / self.scale, np.ones(len(features))]).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Probes:
    """Linear probes on the activations and, as a control, on the position's code; their quality on held-out scenes.

    auc: probability that a point inside an object gets a higher score than one outside, by the probe's name. points,
    demonstrations: on which it was counted.
    """

    activations: LinearProbe
    position: LinearProbe
    auc: dict[str, float]
    points: int
    demonstrations: int


def train_probes(
    phi: MVNeRF,
    train: Sequence[Demonstration],
    held_out: Sequence[Demonstration],
    sources: int,
    bounds: Bounds,
    seed: int,
    points: int = 600,
) -> Probes:
    """Fit probes on `points` of each training demonstration, and try them in the workspace of those held out."""

    def data(demos: Sequence[Demonstration], name: str, room: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = streams.rng(seed, "probe", name)
        drawn = [(demo, probe_points(demo.state, bounds, points, rng, room)) for demo in demos]
        a = np.concatenate([activations_at(phi, encode(phi, demo.views[:sources]), p) for demo, p in drawn])
        inside = np.concatenate([inside_objects(demo.state, p) for demo, p in drawn])
        return a, np.concatenate([code_at(phi, p) for _, p in drawn]), inside

    a, code, inside = data(train, "train", HEADROOM)
    of_activations, of_position = LinearProbe(a, inside), LinearProbe(code, inside)
    a, code, inside = data(held_out, "validation", 0.0)
    auc = {
        "scene activations": ranking_auc(of_activations(a), inside),
        "position alone": ranking_auc(of_position(code), inside),
    }
    return Probes(of_activations, of_position, auc, len(inside), len(held_out))


@dataclass(frozen=True, eq=False)
class RayKnowledge:
    """What is known along one ray of a camera, at n depths (metres from the camera).

    density: Phi's, 1 / metre. stopped: share of the light stopped on the way. components: the first three principal
    components of the activations on this ray, in units of their deviation. probe, position: scores of the two probes.
    inside: the truth.
    """

    depths: Float[np.ndarray, "n"]
    density: Float[np.ndarray, "n"]
    stopped: Float[np.ndarray, "n"]
    components: Float[np.ndarray, "n 3"]
    probe: Float[np.ndarray, "n"]
    position: Float[np.ndarray, "n"]
    inside: Bool[np.ndarray, "n"]


def ray_knowledge(
    phi: MVNeRF, demo: Demonstration, sources: int, p_world: Float[np.ndarray, "3"], probes: Probes, samples: int = 240
) -> RayKnowledge:
    """Ask Phi along the ray from the first camera that is not a source through a world point (metres)."""
    eye = demo.views.Ts_world_cam[sources][:3, 3]
    direction = (p_world - eye) / np.linalg.norm(p_world - eye)
    middle = float(np.linalg.norm(p_world - eye))
    near, far = map(float, depth_bounds(phi.config.rays, torch.as_tensor(eye), torch.as_tensor(direction)))
    depths = np.linspace(max(near, middle - 0.25), min(far, middle + 0.1), samples)
    points, enc = eye + depths[:, None] * direction, encode(phi, demo.views[:sources])
    seen = activations_at(phi, enc, points, direction)
    last = torch.as_tensor(seen[:, -phi.config.field.hidden :])
    with torch.no_grad():
        density = phi.fine.radiance(last)[1].numpy()
    stopped = 1 - np.exp(-np.cumsum(density) * (depths[1] - depths[0]))
    of_activations = probes.activations(activations_at(phi, enc, points))
    of_position = probes.position(code_at(phi, points))
    inside = inside_objects(demo.state, points)
    return RayKnowledge(depths, density, stopped, _components(seen), of_activations, of_position, inside)


def beside(demo: Demonstration, sources: int, p_world: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The place nearest to a point, at its height, whose ray from the camera of `ray_knowledge` meets no object.

    Raises ValueError if there is none within 30 cm.
    """
    eye = demo.views.Ts_world_cam[sources][:3, 3]
    for radius in np.arange(0.04, 0.3, 0.02):
        for angle in np.linspace(0, 2 * np.pi, 16, endpoint=False):
            place = p_world + radius * np.array([np.cos(angle), np.sin(angle), 0.0])
            along = np.linspace(0.3, 1.3, 400)[:, None]  # of the way to the place
            if not inside_objects(demo.state, eye + along * (place - eye)).any():
                return place
    raise ValueError(f"demo: every ray within 30 cm of {np.round(p_world, 3)} meets an object")


def plot_ray_knowledge(axes: Sequence[Sequence[Axes]], rays: dict[str, RayKnowledge]) -> None:
    """One column per ray, three rows: density, components of the activations, probes. Green: truly inside an object."""
    for column, (name, ray) in enumerate(rays.items()):
        density, components, probe = (row[column] for row in axes)
        density.plot(ray.depths, ray.density, color="0.2")
        twin = density.twinx()
        twin.plot(ray.depths, ray.stopped, color="0.2", ls=":", lw=1.2)
        twin.set(ylim=(0, 1.05), ylabel="light stopped (dotted)")
        twin.spines["right"].set_visible(True)
        lines = [
            components.plot(ray.depths, c, lw=1.2, **s)[0] for c, s in zip(ray.components.T, COMPONENTS, strict=True)
        ]
        probe.plot(ray.depths, ray.position, color=PAPER_COLOUR, label="position alone")
        probe.plot(ray.depths, ray.probe, color=DGRASP_COLOUR, label="scene activations")
        density.set_title(name)
        probe.set(xlabel="depth along the ray (m)", ylim=(-0.5, 1.2))
        for ax in (density, components, probe):
            ax.fill_between(
                ray.depths, 0, 1, where=ray.inside.tolist(), color="#228833", alpha=0.18, lw=0,
                transform=ax.get_xaxis_transform(),
            )  # fmt: skip
        if column == 0:
            density.set(ylabel="density (1/m)")
            components.set(ylabel="activations,\nprincipal components")
            probe.set(ylabel="linear probe:\ninside an object?")
            components.legend(lines, ["1st", "2nd", "3rd"], ncols=3, loc="upper left")
            probe.legend(loc="upper left")
    axes[0][0].set_ylim(0, 1.05 * max(float(ray.density.max()) for ray in rays.values()))


def _components(a: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n 3"]:
    centred = a - a.mean(axis=0)
    left, _, _ = np.linalg.svd(centred, full_matrices=False)
    return np.sqrt(len(left)) * left[:, :3]


def probes_of(studio: Studio) -> Probes:
    """Probes on the experiment's Phi, fitted on training scenes and tried on held-out ones."""

    def train() -> Probes:
        experiment = studio.experiment
        some = DemonstrationSet(experiment.example_scenes(), split="train")[:40]
        sources = experiment.profile.nerf.training.source_views
        bounds = experiment.profile.value.workspace
        return train_probes(studio.phi, some, studio.held_out[:10], sources, bounds, experiment.seed)

    return studio.once("probes", train)


def draw_rays(studio: Studio) -> Drawn:
    """Along a ray through the object that was grasped in a held-out scene, and along one beside it."""
    demo, sources = studio.held_out[0], studio.experiment.profile.nerf.training.source_views
    grasped, probes = demo.T_world_grasp[:3, 3], probes_of(studio)
    places = {"through the object": grasped, "beside it": beside(demo, sources, grasped)}
    rays = {name: ray_knowledge(studio.phi, demo, sources, p, probes) for name, p in places.items()}
    figure, axes = plt.subplots(3, 2, figsize=(9.0, 5.8), sharex="col", sharey="row")
    plot_ray_knowledge(axes, rays)
    letter_panels(axes[0])
    facts = {"activations": f"{probes.auc['scene activations']:.2f}", "position": f"{probes.auc['position alone']:.2f}"}
    facts |= {"points": f"{probes.points:,}", "demonstrations": str(probes.demonstrations)}
    return Drawn(figure, pd.concat([_ray_table(name, ray) for name, ray in rays.items()]), _runs(studio), facts)


def _runs(studio: Studio) -> dict[str, Run]:
    return {"demonstrations": studio.experiment.demonstrations(), "nerf": studio.experiment.nerf()}


def _ray_table(name: str, ray: RayKnowledge) -> pd.DataFrame:
    columns = {"ray": name, "depth": ray.depths, "density": ray.density, "stopped": ray.stopped}
    columns |= {f"component_{i + 1}": ray.components[:, i] for i in range(3)}
    columns |= {"probe": ray.probe, "position": ray.position, "inside": ray.inside}
    return pd.DataFrame(columns).round(5)
