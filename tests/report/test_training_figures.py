"""What notebook 3 shows: the price of second order, Figure 2's arrows, query points."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from dgrasp.cameras import Intrinsics, Views, view_from_sphere
from dgrasp.nerf.config import ConvolutionEncoderConfig, FieldConfig, NerfConfig
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import make_pose, uniform_rotations
from dgrasp.report.figures.plots import plot_queries, plot_slopes
from dgrasp.report.figures.second_order import second_order_table
from dgrasp.report.figures.slope_arrows import one_per_method, slope_arrows, slope_cosines
from dgrasp.sim.oracle import blocked_grasps
from dgrasp.sim.tasks.paper import task
from dgrasp.value.config import ValueConfig
from dgrasp.value.queries import QueryPoints
from dgrasp.value.training import build_value

CONFIG = ValueConfig.model_validate({"queries": {"points_per_line": 1}, "policy_views": 2})


@pytest.fixture(autouse=True)
def closed_figures():
    """pyplot keeps every figure until it is closed."""
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def views():
    Ts = [view_from_sphere(torch.tensor([0.2, 0.0, 0.96]).double(), 0.8, a, 0.7).numpy() for a in (-1, 1)]
    images = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)
    return Views(images, np.stack([Intrinsics.d415(32, 24).matrix] * 2), np.stack(Ts))


@pytest.fixture(scope="module")
def demo(views):
    p = torch.tensor([0.2, 0.0, 1.05]) - torch.linspace(0, 0.08, 6)[:, None] * torch.tensor([0.0, 0.0, 1.0])
    R = uniform_rotations(1, torch.Generator().manual_seed(0))
    Ts_world_tcp = make_pose(R.expand(6, 3, 3), p).numpy()
    return SimpleNamespace(views=views, Ts_world_tcp=Ts_world_tcp, T_world_grasp=Ts_world_tcp[-1])


@pytest.fixture(scope="module")
def value():
    field = FieldConfig(hidden=16, position_frequencies=4, direction_frequencies=2)
    phi = build_nerf(NerfConfig(encoder=ConvolutionEncoderConfig(channels=8, width=8), field=field))
    value = build_value(CONFIG, phi)
    value.readout.requires_grad_(False)
    return value


def test_both_schemes_give_one_gradient_at_every_number_of_poses(value, demo):
    table = second_order_table(value, demo, CONFIG, seed=0, sizes=(4, 16), repeats=1)
    assert table["poses"].tolist() == [4, 16]
    assert (table["difference"] < 1e-5).all()
    assert (table[["main", "plain", "exact"]] > 0).all(axis=None)
    np.testing.assert_allclose(table["exact_over_plain"], table["exact"] / table["plain"])


def test_cosines_are_cosines_and_the_same_poses_for_every_model(value, demo):
    table = slope_cosines({"base": value, "dgrasp_quat": value}, [demo], CONFIG, seed=0)
    assert table["model"].value_counts().tolist() == [CONFIG.slope.n_poses] * 2
    assert table[["translation", "rotation"]].abs().max(axis=None) <= 1 + 1e-5
    base, dgrasp = (table.loc[table["model"] == m, "translation"].tolist() for m in ("base", "dgrasp_quat"))
    assert base == dgrasp


def test_arrows_of_figure_2(value, demo, views):
    arrows = slope_arrows({"base": value}, demo, CONFIG, seed=0)
    assert arrows.p_world.shape == arrows.displacement.shape == arrows.slopes["base"].shape == (12, 3)
    assert len(arrows.table()) == 12 and "base_x" in arrows.table()
    _, ax = plt.subplots()
    plot_slopes(ax, views, arrows.p_world, {"Base": (arrows.slopes["base"], "blue")})
    assert ax.collections[0].get_offsets().shape == (12, 2)
    apart = np.linalg.norm(arrows.p_world[:, None] - arrows.p_world[None], axis=-1)
    assert apart[~np.eye(12, dtype=bool)].min() > 0, "spread along the trajectory"


def test_arrows_of_figure_2_show_the_negatives_that_were_trained_with(value, demo):
    state = task("clutter").scene("validation", 0)
    crowded = SimpleNamespace(**vars(demo), state=state)
    config = CONFIG.model_copy(update={"negatives": CONFIG.negatives.model_copy(update={"blocked_share": 0.5})})
    near = config.negatives.blocked_translation * np.sqrt(3)

    def beside_blocked(config):
        arrows = slope_arrows({"base": value}, crowded, config, seed=0, negatives=24)
        ways = arrows.Ts_negative[:, None, :3, 3] - blocked_grasps(state)[None, :, :3, 3]
        return int((np.linalg.norm(ways, axis=-1).min(axis=1) <= near + 1e-6).sum())

    assert beside_blocked(config) >= 12 > beside_blocked(CONFIG)


def test_one_model_per_method_and_none_that_a_profile_lacks():
    assert one_per_method(["base", "dgrasp_quat", "dgrasp_6d"]) == {"Base": "base", "dGrasp": "dgrasp_quat"}
    assert one_per_method(["dgrasp_6d"]) == {"dGrasp": "dgrasp_6d"}


def test_query_points_are_drawn_all():
    queries = QueryPoints.from_config()
    ax = plt.figure().add_subplot(projection="3d")
    plot_queries(ax, queries.points.numpy(), queries.directions.numpy())
    assert ax.get_title(loc="left") == "42 query points" or ax.get_title() == "42 query points"
    assert len(ax.collections) == 12  # six lines: points and direction each
