"""dGrasp: NeRF-informed implicit grasp policies with supervised optimization slopes."""

__version__ = "0.1.0.dev0"
