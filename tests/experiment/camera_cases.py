"""Captures whose lenses, intrinsics and poses are like those people have, and the right answers."""

from __future__ import annotations

import json

import numpy as np
from capture_changes import (
    ANGLE_X,
    ANGLE_Y,
    FL,
    FRAME_0,
    GL,
    NEAR,
    NUMBER,
    PLANS,
    SAME,
    Y_UP,
    Case,
    below,
    both,
    each,
    first,
    matrix,
    moved,
    resized,
    scaled_frame,
    shared,
    shift,
    top,
    without,
)

from dgrasp.cell.transforms import inverse

LENSES = [
    *(Case(f"model {m}", top(camera_model=m), SAME) for m in ("PINHOLE", "simple_pinhole", "OPENCV", "SIMPLE_RADIAL")),
    *(
        Case(f"model {m}", top(camera_model=m), rf"camera_model: '{m}' is no camera that is read; allowed: PINHOLE")
        for m in ("EQUIRECTANGULAR", "FISHEYE624", "ORTHOPHOTO", "VR180_L", "whatever", "")
    ),
    Case("model of a frame", first(camera_model="OPENCV_FISHEYE"), FRAME_0 + "camera_model: .* for all frames and"),
    Case("model null", top(camera_model=None), "camera_model: null is no camera that is read"),
    Case("model a list", top(camera_model=["OPENCV"]), "camera_model: a list of 1 is no camera that is read"),
    Case("camera_type", top(camera_type="fisheye"), "camera_type: 'fisheye' is no camera that is read"),
    Case(
        "fisheye without coefficients", top(camera_model="OPENCV_FISHEYE"), FRAME_0 + "is a fisheye's picture without"
    ),
    Case("fisheye", top(camera_model="OPENCV_FISHEYE", k1=0.05, k2=0.01, k3=0.0, k4=0.0), NEAR),
    Case("COLMAP's fisheye", top(camera_model="RADIAL_FISHEYE", k1=0.05, k2=0.01), NEAR),
    Case(
        "is_fisheye without coefficients", top(is_fisheye=True), FRAME_0 + "is a fisheye's picture without k1, k2, k3"
    ),
    Case("is_fisheye", top(is_fisheye=True, k1=0.05), NEAR),
    *(
        Case(flag, top(**{flag: True}), rf"{flag}: true, so no pinhole camera")
        for flag in ("latlong", "equirectangular", "orthographic")
    ),
    Case("is_fisheye as text", first(is_fisheye="no"), FRAME_0 + "is_fisheye: expected true or false, got 'no'"),
    Case("is_fisheye false", top(is_fisheye=False), SAME),
    *(Case(f"{key}", top(**{key: -0.2}), NEAR) for key in ("k", "k1", "k2", "k3", "p1", "p2")),
    Case("rational", top(k1=0.1, k4=0.2, k5=0.0, k6=0.1), NEAR),
    Case("k4 alone", top(k4=0.1), "k4: 0.1 without k5, k6 is nerfstudio's or OpenCV's; allowed is 0"),
    *(
        Case(f"{key}", top(**{key: -0.02}), rf"json: {key}: -0.02, which is not understood; distortion is read from k1")
        for key in ("s1", "tau_x", "b2", "omega", "ftheta_p1")
    ),
    Case("k1 of a frame", first(k1=0.3), NEAR),
    Case("k1 of another lens", first(k1=5.0, k2=-40.0), FRAME_0 + "the lens' distortion .* cannot be undone"),
    Case("all zeros", top(k1=0, k2=0.0, k3=0, k4=0, k5=0, k6=0, p1=0, p2=-0.0), SAME),
    *(
        Case(f"{key}", each(**{key: [0, 0, 0.1, 0]}), FRAME_0 + f"{key}: 0.1, which is not understood")
        for key in ("distortion", "lens_distortion_coefficients", "rolling_shutter")
    ),
    Case("distortion_params", each(distortion_params=[0.3, 0, 0, 0, 0.01, 0]), NEAR),
    Case("distortion_params of zeros", each(distortion_params=[0.0] * 6), SAME),
    Case("k1 null", top(k1=None), "k1: " + NUMBER + "null"),
    Case("k1 text", top(k1="0"), "k1: " + NUMBER + "'0'"),
    Case("distortion nested", top(distortion={"k1": 0.1}), "distortion: " + NUMBER + "an object"),
    Case("distortion_params nested", top(distortion_params=[[0.1]]), "distortion_params: expected the numbers k1, k2"),
    Case("k2 NaN", top(k2=float("nan")), "k2: expected a finite number, got nan"),
]

INTRINSICS = [
    Case("once for all frames", shared, SAME),
    Case("once and in a frame, equal", both(shared, first(fl_x=FL, w=64)), SAME),
    Case("once and in a frame, another", both(shared, first(fl_x=80.0)), "fl_x: stands twice, 61.696 .* and 80.0 here"),
    Case("angle of all frames", without("fl_x", "fl_y", "cx", "cy", then=top(camera_angle_x=ANGLE_X)), SAME),
    Case("synthetic NeRF", without(*"wh", "fl_x", "fl_y", "cx", "cy", then=top(camera_angle_x=ANGLE_X)), SAME),
    Case("angle y alone", without("fl_x", "fl_y", "cx", "cy", then=each(camera_angle_y=ANGLE_Y)), SAME),
    Case(
        "both angles and centre",
        without("fl_x", "fl_y", then=top(camera_angle_x=ANGLE_X, camera_angle_y=ANGLE_Y)),
        SAME,
    ),
    Case("degrees", without("fl_x", "fl_y", then=top(x_fov=np.degrees(ANGLE_X), y_fov=np.degrees(ANGLE_Y))), SAME),
    Case("angle and pixels agree", top(camera_angle_x=ANGLE_X), SAME),
    Case(
        "angle and pixels differ", top(camera_angle_x=0.7), "camera_angle_x: is a focal length of .* but fl_x says 61.7"
    ),
    Case(
        "angle in degrees",
        without("fl_x", "fl_y", then=top(camera_angle_x=54.8)),
        "expected radians between 0 and 3.142",
    ),
    Case("angle zero", without("fl_x", "fl_y", then=top(camera_angle_x=0)), "camera_angle_x: expected radians"),
    Case("angle text", without("fl_x", "fl_y", then=top(camera_angle_x="0.9")), "camera_angle_x: " + NUMBER + "'0.9'"),
    Case("no fl_x", without("fl_x"), FRAME_0 + "lacks fl_x; needed"),
    Case("no fl_y", without("fl_y"), "lacks fl_y; needed"),
    Case("no centre", without("cx", "cy"), "lacks cx, cy; needed"),
    Case("no intrinsics", without("fl_x", "fl_y", "cx", "cy"), "lacks fl_x, fl_y, cx, cy; needed.*camera_angle_x"),
    Case(
        "nested",
        without("fl_x", "fl_y", "cx", "cy", then=top(camera={"fl_x": FL})),
        "lacks .*; inside 'camera' they are not",
    ),
    Case("no w, h", without("w", "h"), "lacks w, h; needed"),
    Case("no h", without("h"), "lacks h; needed"),
    Case("angle, centre, no w", without("fl_x", "fl_y", "w", "h", then=top(camera_angle_x=ANGLE_X)), "lacks w, h"),
    Case(
        "w, h of another size",
        each(w=640, h=480),
        FRAME_0 + "the image has 64x48 pixels, but its intrinsics are for 640x480",
    ),
    Case("w text", each(w="64"), "w: " + NUMBER + "'64'"),
    Case("w null", each(w=None), "w: " + NUMBER + "null"),
    Case("w a fraction", each(w=64.5), "w: expected a number of pixels, got 64.5"),
    Case("w as a float", each(w=64.0, h=48.0), SAME),
    Case("w zero", each(w=0), "w: expected a number of pixels, got 0"),
    *(
        Case(f"{key} {json.dumps(bad)}"[:40], first(**{key: bad}), FRAME_0 + f"{key}: expected a (finite )?number, got")
        for key in ("fl_x", "fl_y", "cx", "cy")
        for bad in (None, True, "61.6", [61.6], {}, float("nan"), float("inf"), 10**400)
    ),
    Case("fl negative", first(fl_y=-FL), FRAME_0 + "fl_y: focal lengths must be positive"),
    Case("fl zero", first(fl_x=0), "fl_x: focal lengths must be positive"),
    Case("fl in millimetres", each(fl_x=4.25, fl_y=4.25), "fl_x: a focal length of 4.25 .*not in millimetres"),
    Case("fl huge", each(fl_x=1e300, fl_y=1e300), "fl_x: a focal length of 1e.300 pixels shows"),
    Case("fl_y thrice fl_x", each(fl_y=3 * FL), "fl_y: the focal lengths are 61.7 and 185.1 pixels; pixels are square"),
    Case("cx outside", each(cx=201.6, cy=151.2), "cx: 201.6 is outside of the image's 64 pixels"),
    Case("cx negative", first(cx=-1), "cx: -1 is outside"),
    Case("halved after calibration", resized(0.5, False), "cx: 32 is outside of the image's 32|cx, cy are the middle"),
    Case("halved, without w, h", both(resized(0.5, False, stated=False), without("w", "h")), "lacks w, h"),
    Case(
        "halved, w, h as before",
        resized(0.5, False, stated=False),
        "has 32x24 pixels, but its intrinsics are for 64x48",
    ),
    Case("doubled after calibration", resized(2, False), "the middle of an image of 64x48 pixels, this one has 128x96"),
    Case("doubled with intrinsics", resized(2, True), NEAR),
    Case("two phones", resized(4, True, slice(1)), NEAR),
    Case("two focal lengths", first(fl_x=2 * FL, fl_y=2 * FL), PLANS),
]

POSES = [
    Case("3x4", matrix(lambda T: T[:3]), SAME),
    Case("rounded to 4 digits", matrix(lambda T: T.round(4)), NEAR),
    Case("rounded to 1 digit", matrix(lambda T: T.round(1)), "not a rotation"),
    Case("2x4", matrix(lambda T: T[:2]), "transform_matrix: expected 4 rows .* of 4 numbers, got rows of 4, 4"),
    Case("3x3", matrix(lambda T: T[:3, :3]), "transform_matrix: expected 4 rows .*, got rows of 3, 3, 3"),
    Case("flat", matrix(lambda T: T.ravel()), "transform_matrix: expected 4 rows .*, got a list of 16"),
    Case("ragged", matrix(lambda T: [*T[:2].tolist(), T[2, :3].tolist(), T[3].tolist()]), "got rows of 4, 4, 3, 4"),
    Case("matrix null", first(transform_matrix=None), FRAME_0 + "transform_matrix: expected 4 rows .*, got null"),
    Case("matrix text", first(transform_matrix="eye"), "transform_matrix: expected 4 rows .*, got 'eye'"),
    Case("matrix empty", first(transform_matrix=[]), "transform_matrix: expected 4 rows .*, got a list of 0"),
    Case("entry null", first(transform_matrix=[[None] * 4] * 4), "transform_matrix: " + NUMBER + "null"),
    Case("entry true", first(transform_matrix=[[True] * 4] * 4), "transform_matrix: " + NUMBER + "true"),
    Case("entry text", first(transform_matrix=[["1"] * 4] * 4), "transform_matrix: " + NUMBER + "'1'"),
    Case("entry infinite", matrix(lambda T: T + np.inf), "transform_matrix: expected a finite number"),
    Case("entry huge", matrix(lambda T: T * 1e200), "transform_matrix: the last row"),
    Case("rotation huge", matrix(lambda T: T @ np.diag([1e200, 1e200, 1e200, 1])), "not a rotation"),
    Case("shift huge", moved(1e307), "sees nothing|too large"),
    Case(
        "last row", matrix(lambda T: T + np.eye(4)[:, :1] @ [[0] * 4] + 0.1 * (np.arange(4) == 3)[:, None]), "last row"
    ),
    Case("transposed", matrix(lambda T: T.T), "the last row is .*; .* the matrix is transposed"),
    Case("scaled rotation", matrix(lambda T: T @ np.diag([2, 2, 2, 1])), "not a rotation .*; it is one times 2:"),
    Case("mirrored", matrix(lambda T: T @ np.diag([1, -1, 1, 1])), "a reflection: an axis points backwards"),
    Case("OpenCV's axes", matrix(lambda T: T @ GL), "sees nothing .* look as if they were with OpenCV's camera axes"),
    Case("world to camera", matrix(inverse), "transform_matrix: the camera .* were world to camera"),
    Case("world to OpenCV camera", matrix(lambda T: inverse(T @ GL)), "were world to camera .*OpenCV's camera axes"),
    Case("millimetres", moved(1000), "look as if they were in millimetres"),
    Case("centimetres", moved(100), "look as if they were in centimetres"),
    Case("millimetres and OpenCV", both(matrix(lambda T: T @ GL), moved(1000)), "in millimetres, with OpenCV's"),
    Case("y up", matrix(lambda T: Y_UP @ T), "in a world whose y axis points up"),
    Case("arbitrary scale", moved(7.3), "is .* m from the workspace, allowed are 5|sees nothing"),
    Case("below the board", matrix(lambda T: np.diag([1.0, 1, 1, 1]) @ below(T)), "below the board"),
    Case("frame of a board", matrix(lambda T: shift(-0.2, 0, -0.96) @ T), "are the poses metric, and of this frame?"),
    Case(
        "the second looks away", matrix(lambda T: T @ np.diag([-1.0, 1, -1, 1]), slice(1, 2)), r"frame 1 .*sees nothing"
    ),
    Case("applied transform and scale", scaled_frame, SAME),
    Case("applied scale 1", top(applied_scale=1.0, applied_transform=np.eye(4).tolist()), SAME),
    Case("applied scale, poses as they were", top(applied_scale=0.1), "sees nothing|m from the workspace"),
    *(
        Case(f"applied scale {bad!r}", top(applied_scale=bad), "applied_scale: expected a")
        for bad in (0, -1, None, "1")
    ),
    Case(
        "applied transform no rotation",
        top(applied_transform=np.diag([2, 2, 2, 1]).tolist()),
        "json: applied_transform: .*rotation",
    ),
    Case("applied transform null", top(applied_transform=None), "applied_transform: expected 4 rows"),
]


CASES = [*LENSES, *INTRINSICS, *POSES]
