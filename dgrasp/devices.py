"""Training on one device, or on several of one machine through Lightning Fabric, with the same steps.

On several, every process draws a step's whole batch (draws are addressed by the step, so that all draw the same) and
works out its share of it; gradients are added up before the optimizer moves. So n processes make the steps that one
would, up to rounding, from the same checkpoints and to the same run. There is no wrapper round the models as in DDP:
their gradients are partly worked out by hand and L_aux takes several of them, which hooks on parameters do not see.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dgrasp.processes import end_with_parent

if TYPE_CHECKING:
    from lightning_fabric import Fabric

KINDS = ("cpu", "cuda", "mps")
INSTALL = "pip install lightning-fabric"


class DeviceError(ValueError):
    """Devices are asked for that do not exist, are not there, or do not fit the batch; the message says what does."""


@dataclass(frozen=True)
class Worker:
    """This process among the `count` that share every step; without Fabric it is alone.

    bf16: what `autocast` computes in; else float32.
    """

    device: torch.device
    rank: int = 0
    count: int = 1
    bf16: bool = False
    fabric: Fabric | None = None

    @property
    def leads(self) -> bool:
        """Whether this process writes the run: one of them does."""
        return self.rank == 0

    def rows(self, batch: int) -> slice:
        """This process's share of a batch that `check_shares` has accepted."""
        share = batch // self.count
        return slice(self.rank * share, (self.rank + 1) * share)

    def autocast(self) -> AbstractContextManager[Any]:
        """Within this context torch's own layers multiply in bfloat16, if that is this training's precision."""
        if self.fabric is not None:
            return self.fabric.autocast()
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each parameter's gradient by its sum over all processes."""
        if self.fabric is None:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        total = self._sum(torch.cat([g.flatten() for g in gradients]))  # one message instead of hundreds
        for gradient, summed in zip(gradients, total.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(summed.view_as(gradient))

    def add_numbers(self, numbers: Mapping[str, float | Tensor]) -> dict[str, float]:
        """Sums over all processes, name by name."""
        values = [float(number) for number in numbers.values()]
        if self.fabric is not None:
            values = self._sum(torch.tensor(values, dtype=torch.float64, device=self.device)).tolist()
        return dict(zip(numbers, values, strict=True))

    def wait(self) -> None:
        """Until all processes have come here."""
        if self.fabric is not None:
            self.fabric.barrier()

    def _sum(self, tensor: Tensor) -> Tensor:
        assert self.fabric is not None
        summed = self.fabric.all_reduce(tensor, reduce_op="sum")
        assert isinstance(summed, Tensor)
        return summed

    @property
    def description(self) -> dict[str, str | int]:
        """For a run's summary: what computed it."""
        cuda = self.device.type == "cuda"
        name = torch.cuda.get_device_name(self.device) if cuda else self.device.type
        return {"device": name, "devices": self.count}


def run_on(
    job: Callable[..., None],
    *arguments: Any,
    device: str = "cpu",
    devices: int = 1,
    bf16: bool = False,
    threads: int | None = None,
) -> None:
    """Call `job(worker, *arguments)`: here on one device, or in a new process for each of several.

    `job` is then found by its module and name, and arguments are pickled; a script that gets here needs the usual
    `if __name__ == "__main__":`. threads: CPU threads of all processes together; default: torch's own number.
    Raises DeviceError, and what the job raises (from another process: with its traceback as the message).
    """
    check_device(device, devices)
    if devices > 1:
        _run_in_processes(job, arguments, device, devices, bf16, threads or torch.get_num_threads())
        return
    if threads is not None:
        torch.set_num_threads(threads)
    with without_denormals():
        job(Worker(torch.device(device), bf16=bf16), *arguments)


@contextmanager
def without_denormals() -> Iterator[None]:
    """Within this context numbers below 1e-38 are zero, on processors that can.

    A trained Psi gives most negatives of L_main a probability, and so a gradient, of that size. They teach nothing, and
    processors take them a hundred times as slowly: after some hundred steps they double the time of a step.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _run_in_processes(
    job: Callable[..., None], arguments: tuple[Any, ...], device: str, devices: int, bf16: bool, threads: int
) -> None:
    """Started here and not by Fabric, which refuses to in a notebook."""
    from lightning_fabric.plugins.environments.lightning import find_free_network_port
    from torch.multiprocessing import start_processes

    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(find_free_network_port()), "NODE_RANK": "0"}
    threads_each = max(1, threads // devices)
    given = (address, device, devices, bf16, threads_each, job, arguments)
    context = start_processes(_process, given, nprocs=devices, join=False, start_method="spawn")
    assert context is not None
    try:
        while not context.join():
            pass
    finally:  # also when interrupted: nobody may go on writing the run
        for process in context.processes:
            process.kill()
            process.join()


def _process(
    rank: int,
    address: dict[str, str],
    device: str,
    devices: int,
    bf16: bool,
    threads: int,
    job: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    """What each process does: join the others, and work."""
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment

    end_with_parent()  # whoever resumes a killed run must be the only one to write it
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces every process, twice
    os.environ |= {**address, "LOCAL_RANK": str(rank)}
    torch.set_num_threads(threads)
    fabric = Fabric(
        accelerator=device,
        devices=devices,
        strategy="ddp",
        precision="bf16-mixed" if bf16 else "32-true",
        plugins=[LightningEnvironment()],  # not that of a cluster this machine may belong to
    )
    fabric.launch()
    torch.set_num_threads(threads)  # Fabric sets its own number
    with without_denormals():
        job(Worker(fabric.device, rank, devices, bf16, fabric), *arguments)
    fabric.barrier()
    torch.distributed.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    # The work is done. An interpreter that shuts down under torch's threads can abort, which looks like failure.
    os._exit(0)


# --- what can be asked for --------------------------------------------------------------------------------------------


def check_device_name(device: str) -> str:
    """The name, if torch could mean a device by it; raises DeviceError."""
    if not re.fullmatch(rf"({'|'.join(KINDS)})(:\d+)?", device):
        raise DeviceError(f"unknown device {device!r}; devices: cpu, cuda, cuda:1, mps")
    return device


def check_device(device: str, devices: int = 1) -> None:
    """Raises DeviceError, with what to change, unless this machine has `devices` of them (and Fabric, for several)."""
    kind = torch.device(check_device_name(device)).type
    here = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(kind)
    if here == 0:
        raise DeviceError(
            f"device {device!r}: torch {torch.__version__} sees no such device on this machine; set runtime.device: "
            "cpu in the profile, or install the driver and a build of torch for it"
        )
    wanted = max(devices, 1 + (torch.device(device).index or 0))
    if here is not None and wanted > here:
        raise DeviceError(f"device {device!r}, devices: {devices}: this machine has {here}; lower runtime.devices")
    if devices < 1 or (devices > 1 and ":" in device):
        raise DeviceError(
            f"device {device!r}, devices: {devices}: expected 1 or more, and for several a device without a number"
        )
    if devices > 1 and importlib.util.find_spec("lightning_fabric") is None:
        raise DeviceError(f"devices: {devices}: several devices need the package lightning-fabric: {INSTALL}")


def check_shares(name: str, batch: int, devices: int) -> None:
    """Raises DeviceError unless the batch, called `name` in the settings, can be shared out evenly."""
    if batch % devices:
        fitting = ", ".join(str(n) for n in range(1, batch + 1) if batch % n == 0)
        raise DeviceError(
            f"{name}: a batch of {batch} cannot be shared out evenly to {devices} devices; "
            f"set runtime.devices to one of {fitting}, or {name} to a multiple of {devices}"
        )
