"""A good guest: the caller's torch modes neither break nor change what comes out, and are as before afterwards."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import nn

from dgrasp.poses import make_pose, representation, uniform_poses
from dgrasp.slopes.climb import optimize_poses
from dgrasp.slopes.config import OptimizerConfig
from dgrasp.slopes.exact import exact_slope_loss
from dgrasp.slopes.losses import grasp_ranking_loss, part_cosines, slope_loss, value_gradient

LOW, HIGH = torch.tensor([-0.3, -0.3, 0.0]), torch.tensor([0.3, 0.3, 0.2])
CONFIG = OptimizerConfig(steps=3, chunk=4)
MODES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


def poses(seed: int, n: int = 6) -> torch.Tensor:
    return uniform_poses(n, LOW, HIGH, torch.Generator().manual_seed(seed))


class Value(nn.Module):
    """A small smooth network over poses, in two halves."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(16, 8), nn.Linear(8, 1)

    def features(self, T: torch.Tensor) -> torch.Tensor:
        return nn.functional.softplus(self.first(T.flatten(1)))

    def readout(self, a: torch.Tensor) -> torch.Tensor:
        return self.last(nn.functional.softplus(a)).squeeze(-1)

    def forward(self, T: torch.Tensor) -> torch.Tensor:
        return self.readout(self.features(T))


DOORS: dict[str, Callable[[Value], torch.Tensor]] = {
    "value_gradient": lambda v: value_gradient(v, poses(0), "quat"),
    "slope_loss": lambda v: slope_loss(v, poses(0), poses(1), "6d"),
    "exact_slope_loss": lambda v: exact_slope_loss(v.features, v.readout, poses(0), poses(1), "quat"),
    "optimize_poses": lambda v: optimize_poses(v, poses(0), CONFIG, bounds=(LOW, HIGH)).T_world_tcp,
}


def modes() -> tuple[bool, bool, bool]:
    return torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("door", DOORS)
def test_the_callers_modes_change_no_number_and_stay(door, mode):
    value = Value()
    expected = DOORS[door](value).detach()
    with MODES[mode]():
        before = modes()
        result = DOORS[door](value)
        assert modes() == before
    assert torch.equal(result, expected)
    assert result.dtype == torch.float32


@pytest.mark.parametrize("loss", ["slope_loss", "exact_slope_loss"])
def test_losses_keep_no_graph_where_nobody_wants_gradients(loss):
    value = Value()
    assert DOORS[loss](value).requires_grad
    with torch.no_grad():
        assert not DOORS[loss](value).requires_grad


def test_poses_from_inference_mode_are_as_good_as_others():
    value, rep = Value(), representation("quat")
    with torch.inference_mode():
        T, p, target = poses(0), rep.from_matrix(poses(0)), rep.from_matrix(poses(1))
    assert torch.equal(value_gradient(value, T, rep), DOORS["value_gradient"](value))
    slope_loss(value, p, target, rep).backward()
    assert value.last.weight.grad is not None


@pytest.mark.parametrize("outside", [nullcontext, torch.inference_mode])
def test_weights_from_inference_mode_are_named(outside):
    with torch.inference_mode():
        value = Value()
    with outside(), pytest.raises(ValueError, match=r"value: holds weights .* made under torch\.inference_mode"):
        value_gradient(value, poses(0), "quat")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused_by_name(dtype):
    points = torch.randn(4, 3)
    with pytest.raises(ValueError, match=f"poses: computed in {dtype}; slopes need float32 or float64"):
        slope_loss(lambda p: p.sum(-1), points.to(dtype), points.to(dtype))
    with pytest.raises(ValueError, match=f"starts: computed in {dtype}"):
        optimize_poses(Value(), poses(0).to(dtype), CONFIG, bounds=(LOW, HIGH))
    with pytest.raises(ValueError, match=f"value: computed in {dtype}"):
        value_gradient(lambda p: p.sum(-1).to(dtype), points)
    with pytest.raises(ValueError, match=f"value: computed in {dtype}"):
        optimize_poses(lambda T: T[:, 0, 3].to(dtype), poses(0), CONFIG, bounds=(LOW, HIGH))


@pytest.mark.parametrize(
    ("strange", "why"),
    [
        (lambda T: T.to(torch.complex64), r"expected real numbers, got torch\.complex64"),
        (lambda T: T.to_sparse(), r"expected a dense tensor \(`\.to_dense\(\)`\), got layout torch\.sparse_coo"),
    ],
)
def test_complex_and_sparse_tensors_are_refused_in_one_line(strange, why):
    net, T = Value(), poses(0)
    with pytest.raises(ValueError, match=f"poses: {why}"):
        slope_loss(net, strange(T), strange(poses(1)), "quat")
    with pytest.raises(ValueError, match=f"poses: {why}"):
        slope_loss(lambda p: p.sum(-1), strange(torch.ones(3, 2)), strange(torch.zeros(3, 2)))
    with pytest.raises(ValueError, match=f"starts: {why}"):
        optimize_poses(net, strange(T), CONFIG, bounds=(LOW, HIGH))
    with pytest.raises(ValueError, match=rf"bounds \(low\): {why}"):
        optimize_poses(net, T, CONFIG, bounds=(strange(LOW), HIGH))
    for call in (
        lambda v: slope_loss(v, T, poses(1), "quat"),
        lambda v: optimize_poses(v, T, CONFIG, bounds=(LOW, HIGH)),
    ):
        with pytest.raises(ValueError, match=f"value: {why}"):
            call(lambda T: strange(net(T)))


@pytest.mark.parametrize("kind", ["cross_entropy", "kl"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_ranked_in_float32(dtype, kind):
    logits = (10 * torch.randn(5, 16)).to(dtype)
    loss = grasp_ranking_loss(logits, kind=kind)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, grasp_ranking_loss(logits.float(), kind=kind))


@pytest.mark.parametrize("scale", [2.0**64, 2.0**120, 2.0**-40])
def test_slopes_of_any_size_have_the_same_cosine(scale):
    """Squared in float32, 1.8e19 is infinite and the cosine 0. Without a floor to speak of, size must not count."""
    slope, displacement = torch.randn(6, 7), torch.randn(6, 7)
    parts = representation("quat").parts
    expected = part_cosines(slope, displacement, parts, eps=1e-30)
    large = (slope * scale).requires_grad_()
    cosines = part_cosines(large, displacement, parts, eps=1e-30)
    torch.testing.assert_close(cosines, expected, rtol=1e-5, atol=1e-6)
    (gradient,) = torch.autograd.grad(cosines.sum(), large)
    assert torch.isfinite(gradient).all() and (scale > 1 or gradient.abs().max() > 1)


def test_a_tiny_floor_leaves_flat_landscapes_a_gradient():
    slope = torch.zeros(3, 2, requires_grad=True)
    cosines = part_cosines(slope, torch.ones(3, 2), [slice(None)], eps=1e-30)
    (gradient,) = torch.autograd.grad(cosines.sum(), slope)
    torch.testing.assert_close(gradient, torch.full((3, 2), 1e30 / 2**0.5))


@pytest.mark.parametrize("eps", [1e-45, 0.0, -1.0, float("inf"), float("nan"), "1e-6", None, True, [1e-6]])
def test_a_floor_that_no_float_holds_is_refused(eps):
    points = torch.randn(4, 3)
    with pytest.raises(ValueError, match="eps: expected"):
        slope_loss(lambda p: p.square().sum(-1), points, points.flip(0), eps=eps)


def test_slopes_too_steep_for_adam_are_refused_and_clipped_ones_climb():
    free = CONFIG.model_copy(update={"gradient_clip": None})
    with pytest.raises(ValueError, match=r"slopes of value at step 0: up to 1e\+20, Adam can square 1.8e\+19 at most"):
        optimize_poses(lambda T: 1e20 * T[:, 0, 3], poses(0), free, bounds=(LOW, HIGH))
    result = optimize_poses(lambda T: 1e20 * T[:, 0, 3], poses(0), CONFIG, bounds=(LOW, HIGH))
    assert (result.T_world_tcp[:, 0, 3] > poses(0)[result.start, 0, 3]).all()


class AcrossPoses(nn.Module):
    """Scores that depend on the other poses of the batch."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 8), norm, nn.Softplus(), nn.Linear(8, 1))

    def forward(self, T: torch.Tensor) -> torch.Tensor:
        return self.layers(T.flatten(1)).squeeze(-1)


@pytest.mark.parametrize(
    "call",
    [
        lambda v: value_gradient(v, poses(0), "quat"),
        lambda v: slope_loss(v, poses(0), poses(1), "quat"),
        lambda v: optimize_poses(v, poses(0), CONFIG, bounds=(LOW, HIGH)),
    ],
)
def test_scores_that_depend_on_other_poses_are_named(call):
    with pytest.raises(ValueError, match=r"value: the score of pose 0 also depends on pose \d.*BatchNorm in eval mode"):
        call(AcrossPoses(nn.BatchNorm1d(8)))
    call(AcrossPoses(nn.BatchNorm1d(8)).eval())
    call(AcrossPoses(nn.LayerNorm(8)))


@pytest.mark.parametrize("wrapped", [lambda net: lambda T: net(T), lambda net: partial(net), lambda net: net.forward])
def test_another_network_in_the_same_function_is_looked_at_again(wrapped):
    value_gradient(wrapped(AcrossPoses(nn.LayerNorm(8))), poses(0), "quat")
    with pytest.raises(ValueError, match="also depends on pose"):
        value_gradient(wrapped(AcrossPoses(nn.BatchNorm1d(8))), poses(0), "quat")


def head(a: torch.Tensor) -> torch.Tensor:
    return a.square().sum(-1)


@pytest.mark.parametrize("net", [AcrossPoses(nn.BatchNorm1d(8)), AcrossPoses(nn.Dropout())])
def test_a_network_in_another_mode_is_looked_at_again(net):
    """What stands alone in eval mode need not in training mode; and only what is refused stays refused."""
    value_gradient(net.eval(), poses(0), "quat")
    mixes = isinstance(net.layers[1], nn.BatchNorm1d)
    with pytest.raises(ValueError, match="value: the score of pose 0 also depends") if mixes else nullcontext():
        value_gradient(net.train(), poses(0), "quat")
    value_gradient(net.eval(), poses(0), "quat")


NET = AcrossPoses(nn.BatchNorm1d(8))


class Wrapped:
    """A network in an object that is no network."""

    def __init__(self, net: nn.Module) -> None:
        self.parts = [torch.square, net]

    def __call__(self, T: torch.Tensor) -> torch.Tensor:
        return self.parts[1](T)

    def score(self, T: torch.Tensor) -> torch.Tensor:
        return self(T)


@pytest.mark.parametrize(
    "function",
    [
        lambda T: NET(T),
        lambda T, net=NET: net(T),
        (lambda value: lambda T: value(T))(lambda T: NET(T)),
        partial(lambda net, T: net(T), NET),
        Wrapped(NET),
        Wrapped(NET).score,
    ],
    ids=["global", "default", "closure", "partial", "object", "method"],
)
def test_networks_are_found_wherever_a_function_has_them(function):
    NET.eval()
    value_gradient(function, poses(0), "quat")
    NET.train()
    with pytest.raises(ValueError, match="also depends on pose"):
        value_gradient(function, poses(0), "quat")


def test_another_function_of_the_same_network_is_looked_at_again():
    net = AcrossPoses(nn.LayerNorm(8))
    value_gradient(lambda T: net(T), poses(0), "quat")
    with pytest.raises(ValueError, match="also depends on pose"):
        value_gradient(lambda T: net(T) - net(T).mean(), poses(0), "quat")
    other = AcrossPoses(nn.BatchNorm1d(8))
    with pytest.raises(ValueError, match="also depends on pose"):
        value_gradient((lambda net, other: lambda T: net(T) + other(T))(net, other), poses(0), "quat")


def test_what_has_been_looked_at_costs_nothing_more():
    """One more backward pass in the first step, and none in those after it."""
    net, passes = AcrossPoses(nn.LayerNorm(8)), []
    net.layers[0].register_full_backward_hook(lambda *_: passes.append(1))
    counts = []
    for _ in range(3):
        slope_loss(net, poses(0), poses(1), "quat")
        counts.append(len(passes))
    assert counts[0] == 2 and counts[2] - counts[1] == counts[1] - counts[0] == 1


@pytest.mark.parametrize(
    ("features", "readout", "message"),
    [
        (lambda a: a.sum(0).expand(6, 16), head, "features: the activation of pose 0 also depends on pose 1"),
        (lambda a: a, lambda a: head(a - a.mean(0)), "readout: the score of pose 0 also depends on pose 1"),
        (lambda a: a[:4], head, r"features: expected activations of shape \(6, ...\), one row per pose, got \(4, 16\)"),
        (lambda a: a.sum(), head, r"features: expected activations of shape \(6, ...\), one row per pose, got \(\)"),
    ],
)
def test_the_exact_slope_loss_refuses_what_depends_on_other_poses(features, readout, message):
    with pytest.raises(ValueError, match=message):
        exact_slope_loss(lambda T: features(T.flatten(1)), readout, poses(0), poses(1), "quat")


@pytest.mark.parametrize("normalized", ["features", "readout"])
def test_the_exact_slope_loss_refuses_batch_norm_in_training_mode(normalized):
    layers = AcrossPoses(nn.BatchNorm1d(8)).layers
    cut = 2 if normalized == "features" else 1

    def loss() -> torch.Tensor:
        features, readout = layers[:cut], layers[cut:]
        return exact_slope_loss(
            lambda T: features(T.flatten(1)), lambda a: readout(a).squeeze(-1), poses(0), poses(1), "quat"
        )

    layers.eval()
    assert torch.isfinite(loss())
    layers.train()
    with pytest.raises(ValueError, match=rf"{normalized}: the \w+ of pose 0 also depends on .*BatchNorm in eval mode"):
        loss()


def test_normalized_features_are_seen_to_depend_on_other_poses():
    """They add up to nothing, so that a plain sum would have no slope."""
    norm = nn.LayerNorm(16, elementwise_affine=False)
    with pytest.raises(ValueError, match="features: the activation of pose 0 also depends on pose 1"):
        exact_slope_loss(lambda T: norm(T.flatten(1) + T.flatten(1).mean(0)), head, poses(0), poses(1), "quat")


def by_attention(points: torch.Tensor) -> torch.Tensor:
    """Attention among the coordinates of one point, by the kernel of torch's choice."""
    tokens = points[:, None, :, None].expand(-1, 1, -1, 8) * torch.ones(8, requires_grad=True)
    return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens).mean((1, 2, 3))


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return 2 * gradient * ctx.saved_tensors[0]


@pytest.mark.parametrize("value", [by_attention, lambda p: (Once.apply(p) * torch.ones(3, requires_grad=True)).sum(-1)])
def test_a_missing_second_derivative_says_what_to_use(value):
    loss = slope_loss(value, torch.randn(4, 3), torch.randn(4, 3))  # the number alone is no problem
    assert torch.isfinite(loss)
    with pytest.raises(ValueError, match=r"no second derivative, .*SDPBackend\.MATH"):
        loss.backward()


def test_the_advised_attention_has_one():
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        points = torch.randn(4, 3, requires_grad=True)
        scale = torch.ones((), requires_grad=True)
        loss = slope_loss(lambda p: by_attention(scale * p), points.detach(), torch.randn(4, 3))
    loss.backward()
    assert scale.grad is not None and torch.isfinite(scale.grad) and scale.grad != 0


def test_compiled_networks_are_advised_too():
    net = nn.Sequential(nn.Linear(3, 4), nn.Softplus(), nn.Linear(4, 1))
    compiled = torch.compile(net, backend="aot_eager")
    loss = slope_loss(lambda p: compiled(p).squeeze(-1), torch.randn(4, 3), torch.randn(4, 3))
    with pytest.raises(ValueError, match=r"no second derivative, .*torch\.compile"):
        loss.backward()


def test_an_error_of_the_value_says_how_it_was_called():
    def for_six(T: torch.Tensor) -> torch.Tensor:
        return T.reshape(6, 16).sum(-1)

    with pytest.raises(RuntimeError, match="invalid for input") as caught:
        optimize_poses(for_six, poses(0), CONFIG, bounds=(LOW, HIGH))
    assert "called with poses of shape (4, 4, 4)" in caught.value.__notes__[0]


def test_starts_may_be_drawn_in_any_dtype(monkeypatch):
    expected = poses(0)
    monkeypatch.setattr(torch, "get_default_dtype", lambda: torch.float64)
    again = uniform_poses(6, LOW, HIGH, torch.Generator().manual_seed(0), dtype=torch.float32)
    assert torch.equal(again, expected) and poses(0).dtype == torch.float64
    assert make_pose(torch.eye(3), torch.zeros(3)).dtype == torch.float32
