"""Drivers of the paper's devices. Each file imports its vendor's library only when a device is opened."""
