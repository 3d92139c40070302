"""Demonstrations of other tools, read and checked: LeRobot's datasets, robomimic's HDF5, plain folders."""
