"""What notebook 2 says of activations rests on these: the truth about objects, the probe, and rays that miss them."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from dgrasp.cameras import Intrinsics, Views, view_from_sphere
from dgrasp.nerf.config import ConvolutionEncoderConfig, FieldConfig, NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.report.figures.probes import (
    LinearProbe,
    activations_at,
    beside,
    encode,
    inside_objects,
    plot_ray_knowledge,
    probe_points,
    ray_knowledge,
    train_probes,
)
from dgrasp.sim.oracle import oracle_grasps
from dgrasp.sim.tasks.paper import task
from dgrasp.value.config import ValueConfig

BOUNDS = ValueConfig().workspace


@pytest.fixture(scope="module")
def phi():
    field = FieldConfig(hidden=16, position_frequencies=4, direction_frequencies=2)
    return build_nerf(NerfConfig(encoder=ConvolutionEncoderConfig(channels=8, width=8), field=field))


@pytest.fixture(scope="module")
def demos():
    """Scenes of the simple task with noise for images: geometry is what is tested."""
    rng = np.random.default_rng(0)
    Ts = np.stack([view_from_sphere(torch.tensor([0.2, 0.0, 0.96]).double(), 0.8, a, 0.7).numpy() for a in (-1, 0, 1)])
    views = Views(
        rng.integers(0, 256, (3, 24, 32, 3), dtype=np.uint8), np.stack([Intrinsics.d415(32, 24).matrix] * 3), Ts
    )
    scenes = [task("simple").scene(split="train", index=i, seed=0) for i in range(3)]
    return [SimpleNamespace(views=views, state=s, T_world_grasp=oracle_grasps(s)[0]) for s in scenes]


def test_an_objects_centre_is_inside_and_its_surroundings_are_not(demos):
    scene = demos[0].state
    centres = np.array([thing.T_world_object[:3, 3] for thing in scene.objects])
    assert inside_objects(scene, centres).all()
    assert not inside_objects(scene, centres + np.array([0, 0, 0.2])).any()
    thing = scene.objects[0]
    end = thing.shape.mesh()[0].reshape(-1, 3)[:, 2].max()
    on_axis = np.array([[0, 0, end - 1e-3, 1], [0, 0, end + 1e-3, 1]]) @ thing.T_world_object.T
    assert inside_objects(scene, on_axis[:, :3]).tolist() == [True, False]


def test_probe_points_are_in_the_workspace_or_close_to_objects(demos):
    points = probe_points(demos[0].state, BOUNDS, 400, np.random.default_rng(0))
    assert points.shape == (400, 3)
    assert ((points[:200] >= BOUNDS[0]) & (points[:200] <= BOUNDS[1])).all()
    share = [inside_objects(demos[0].state, half).mean() for half in (points[:200], points[200:])]
    assert share[1] > 0.05 and share[1] > share[0]


def test_the_probe_reads_what_is_linear_and_only_that():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 5))
    linear, even = x[:, 0] + 0.5 * x[:, 1] > 0, np.abs(x[:, 0]) > 0.7
    read = LinearProbe(x, linear)(x)
    assert ((read > 0.5) == linear).mean() > 0.95
    unread = LinearProbe(x, even)(x)
    assert abs(unread[even].mean() - unread[~even].mean()) < 0.05


def test_beside_is_past_all_objects(demos):
    for demo in demos:
        eye, place = demo.views.Ts_world_cam[2][:3, 3], beside(demo, 2, demo.T_world_grasp[:3, 3])
        ray = eye + np.linspace(0.5, 1.2, 300)[:, None] * (place - eye)
        assert not inside_objects(demo.state, ray).any()
        assert place[2] == pytest.approx(demo.T_world_grasp[2, 3])


def test_knowledge_along_a_ray(phi, demos):
    probes = train_probes(phi, demos[:2], demos[2:], 2, BOUNDS, seed=0, points=200)
    assert set(probes.auc) == {"scene activations", "position alone"} and all(0 <= a <= 1 for a in probes.auc.values())
    ray = ray_knowledge(phi, demos[2], 2, demos[2].T_world_grasp[:3, 3], probes, samples=50)
    assert ray.inside.any() and not ray.inside[0]
    assert (np.diff(ray.stopped) >= 0).all() and (ray.stopped < 1 + 1e-6).all()
    np.testing.assert_allclose(ray.components.T @ ray.components / 50, np.eye(3), atol=1e-3)
    _, axes = plt.subplots(3, 2)
    plot_ray_knowledge(axes, {"on": ray, "off": ray})
    assert axes[0, 1].get_title(loc="left") == "off" or axes[0, 1].get_title() == "off"


def test_activations_are_those_of_all_layers(phi, demos):
    a = activations_at(phi, encode(phi, demos[0].views[:2]), np.zeros((5, 3)))
    assert a.shape == (5, phi.activation_count * 16)
