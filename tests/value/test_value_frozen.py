"""Phi at the poses of L_aux, derivatives written out, against the exact scheme on autograd's operations."""

import pytest
import torch
from value_scene import camera_views, workspace_poses

from dgrasp.nerf.config import ConvolutionEncoderConfig, FieldConfig, NerfConfig
from dgrasp.nerf.encoded import EncodedViews
from dgrasp.nerf.model import build_nerf
from dgrasp.poses import REPRESENTATIONS
from dgrasp.slopes.exact import FrozenActivations
from dgrasp.value.config import ValueConfig
from dgrasp.value.frozen import FrozenPhi
from dgrasp.value.function import GraspValue
from dgrasp.value.training import build_value

READOUT = {"activation_features": 8, "query_features": 8, "trunk_hidden": 16, "trunk_features": 8}
CONFIG = ValueConfig.model_validate({"queries": {"points_per_line": 2}, "readout": READOUT})


def scene(**field) -> tuple[GraspValue, EncodedViews]:
    """Two scenes of two views, in float64."""
    sizes = {"hidden": 12, "position_frequencies": 3, "direction_frequencies": 2, **field}
    encoder = ConvolutionEncoderConfig(channels=6, width=4)
    phi = build_nerf(NerfConfig(encoder=encoder, field=FieldConfig(**sizes)))
    value = build_value(CONFIG, phi)
    value.readout.double(), phi.double()
    scenes = [value.encode(camera_views(2, seed=i)) for i in range(2)]
    return value, EncodedViews.concatenate(scenes)


@pytest.mark.parametrize("name", REPRESENTATIONS)
@pytest.mark.parametrize("field", [{"frame": "world"}, {"frame": "camera"}, {"frame": "camera", "directions": "moved"}])
def test_loss_and_gradient_are_those_of_the_exact_scheme(name, field):
    value, enc = scene(**field)
    T, rep = workspace_poses(10, seed=0).double().view(2, 5, 4, 4), REPRESENTATIONS[name]
    p, target = rep.from_matrix(T.flatten(0, 1)), rep.from_matrix(workspace_poses(10, seed=1).double())
    plain = FrozenActivations(lambda t: value.activations(enc, t.view(2, 5, 4, 4)).flatten(0, 1), T.flatten(0, 1))
    fast = FrozenPhi(value, enc, T)
    torch.testing.assert_close(fast.activations, plain.activations.detach(), rtol=1e-10, atol=1e-10)
    found = []
    for frozen in (plain, fast):
        loss = frozen.slope_loss(value.readout, p, target, rep, 1e-6)
        weights = [w for name, w in value.readout.named_parameters() if name != "logit.bias"]
        found.append([loss, *torch.autograd.grad(loss, weights)])
    assert found[0][1].abs().max() > 0
    torch.testing.assert_close(found[1], found[0], rtol=1e-7, atol=1e-9)
    with torch.no_grad():
        assert torch.equal(fast.slope_loss(value.readout, p, target, rep, 1e-6), found[1][0].detach())


def test_poses_that_are_none_are_refused():
    value, enc = scene()
    with pytest.raises(ValueError, match="T_world_tcp: rotation part is not a rotation"):
        FrozenPhi(value, enc, 2 * torch.eye(4, dtype=torch.float64).expand(2, 3, 4, 4))
