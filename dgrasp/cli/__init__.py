"""The command `dgrasp`."""
