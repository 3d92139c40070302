"""The simulated cell (Sec. 4): world, robot, objects, tasks, oracle, execution. Only here PyBullet is imported."""
