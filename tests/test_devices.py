"""What devices can be asked for, and what is said of those that cannot. (Two processes at work: tests/value.)"""

import importlib.util

import pytest
import torch

from dgrasp.devices import DeviceError, Worker, check_device, check_device_name, check_shares, run_on


def leave_a_mark(worker: Worker, marks: list) -> None:
    marks.append((worker.device.type, worker.rank, worker.count, worker.leads, worker.rows(6)))


def test_one_device_works_here_and_has_the_whole_batch():
    marks: list = []
    run_on(leave_a_mark, marks)
    assert marks == [("cpu", 0, 1, True, slice(0, 6))]


def halve_a_tiny_number(worker: Worker, results: list) -> None:
    results.append(float(torch.tensor([1.5e-38]) / 2))


def test_training_does_not_wait_for_numbers_too_small_to_matter():
    results: list = []
    run_on(halve_a_tiny_number, results)
    assert results == [0.0]
    assert float(torch.tensor([1.5e-38]) / 2) > 0  # as before


def test_shares_are_disjoint_and_leave_nothing_out():
    rows = [Worker(torch.device("cpu"), rank, 3).rows(6) for rank in range(3)]
    assert [list(range(6))[r] for r in rows] == [[0, 1], [2, 3], [4, 5]]


def test_alone_nothing_is_added_up():
    worker, weight = Worker(torch.device("cpu")), torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.tensor([1.0, 2.0])
    worker.add_gradients([weight])
    assert weight.grad.tolist() == [1.0, 2.0]
    assert worker.add_numbers({"loss": torch.tensor(0.5)}) == {"loss": 0.5}


def test_autocast_is_bfloat16_only_where_asked_for():
    layer, x = torch.nn.Linear(4, 4), torch.ones(1, 4)
    for bf16, dtype in ((False, torch.float32), (True, torch.bfloat16)):
        with Worker(torch.device("cpu"), bf16=bf16).autocast():
            assert layer(x).dtype == dtype


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:1", "mps"])
def test_devices_by_name(name):
    assert check_device_name(name) == name


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:one", "meta", ""])
def test_unknown_devices_name_what_exists(name):
    with pytest.raises(DeviceError, match=r"unknown device .*; devices: cpu, cuda, cuda:1, mps"):
        check_device_name(name)


def test_a_missing_gpu_says_what_to_change(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(DeviceError, match=r"sees no such device on this machine; set runtime\.device: cpu"):
        check_device("cuda")


@pytest.mark.parametrize(("device", "devices"), [("cuda", 3), ("cuda:2", 1)])
def test_too_few_gpus_are_counted(monkeypatch, device, devices):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_device("cuda", 1), check_device("cuda:1", 1)
    with pytest.raises(DeviceError, match=f"devices: {devices}: this machine has 2; lower runtime.devices"):
        check_device(device, devices)


@pytest.mark.parametrize(("device", "devices"), [("cuda:0", 2), ("cpu", 0)])
def test_impossible_numbers_of_devices(monkeypatch, device, devices):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(DeviceError, match="expected 1 or more, and for several a device without a number"):
        check_device(device, devices)


def test_missing_fabric_is_named_where_it_is_needed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    check_device("cpu", 1)
    with pytest.raises(DeviceError, match="several devices need the package lightning-fabric: pip install"):
        check_device("cpu", 2)


def test_a_batch_that_cannot_be_shared_out_names_both_numbers():
    check_shares("value.batch", 4, 2)
    with pytest.raises(DeviceError, match=r"value\.batch: a batch of 4 .* to 3 devices; .* one of 1, 2, 4, or"):
        check_shares("value.batch", 4, 3)
