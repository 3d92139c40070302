"""Arm, gripper and camera of the paper's cell, through their vendors' public interfaces."""
