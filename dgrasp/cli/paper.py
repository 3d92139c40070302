"""Does the profile `paper` fit this machine's GPU? `dgrasp doctor --profile paper`: estimated, since it never ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dgrasp.cli.finding import GIB, Finding


def paper_findings(torch: Mapping[str, Any]) -> list[Finding]:
    """Its needs of a GPU's memory and of time, beside what torch found here (`dgrasp.cli.machine.TORCH`)."""
    from dgrasp.experiment.needs import ASSUMED, needs, walked
    from dgrasp.experiment.profiles import load_profile

    stated = walked()
    found = needs(load_profile("paper"), stated["pieces"])
    most = max(found, key=lambda need: need.memory)
    hours = sum(max(need.hours, need.simulation) for need in found)
    parts = ", ".join(f"{n.stage} {n.memory / GIB:.0f} GiB {max(n.hours, n.simulation):.0f} h" for n in found)
    made = f"estimated from one real step of each stage on a processor (torch {stated['made_by']['torch']})"
    return [
        _memory(torch, most.memory, f"profile paper: {most.memory / GIB:.0f} GiB, {made}"),
        Finding("hours of paper", "ok", f"about {hours:.0f}; {parts}", ASSUMED),
    ]


def _memory(torch: Mapping[str, Any], needed: float, purpose: str) -> Finding:
    sizes = [size * GIB for size in torch.get("gpu_gib", [])]
    if not sizes:
        return Finding("GPU memory", "missing", "no GPU", purpose, "a machine with a GPU and torch's CUDA build")
    found = ", ".join(f"{size / GIB:.1f} GiB" for size in sizes)
    if max(sizes) < needed:
        advice = "a profile of your own: smaller value.cache_gib, fewer runtime.workers; several GPUs: runtime.devices"
        return Finding("GPU memory", "limited", found, purpose, advice)
    return Finding("GPU memory", "ok", found, purpose)
