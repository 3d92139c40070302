"""Facts of the robot cell (Sec. 4): workspace, arm, hand, cameras, and the interface of every backend. No simulator."""
