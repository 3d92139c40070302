"""The cell's fixed geometry in the world frame: z up, metres, origin on the floor below the table's centre.

Table, board and robot mount follow the predecessor's cell (facts of Soti et al. 2024's configuration and its
successors' description of the workbench); the numbers close: the board minus 15 mm a side is the workspace.
"""

from __future__ import annotations

import numpy as np

TABLE_SIZE = (1.26, 0.805, 0.948)  # predecessor's cell
TABLE_CENTRE_XY = (0.0, 0.0)
BOARD_SIZE = (0.684, 0.640, 0.025)  # predecessor's cell; half of its thickness stands above the table
BOARD_CENTRE_XY = (0.2, 0.0)
BOARD_TOP = 0.9605  # 0.948 + 0.0125
BASE_POSITION = (-0.455, 0.0, 0.973)  # UR10 base_link, 25 mm above the table
BOUNDS_LOW = np.array([-0.127, -0.305, 0.9605])  # predecessor's workspace bounds of the TCP
BOUNDS_HIGH = np.array([0.527, 0.305, 1.0655])
BOARD_CENTRE = np.array([*BOARD_CENTRE_XY, BOARD_TOP])
for _constant in (BOUNDS_LOW, BOUNDS_HIGH, BOARD_CENTRE):
    _constant.setflags(write=False)
