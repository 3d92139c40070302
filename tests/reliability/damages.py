"""What happens to files: cut, flipped, overwritten, mixed up, edited by hand. Each takes bytes and gives others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import numpy as np
import torch
from safetensors.torch import load, save

Rng = np.random.Generator
Damage = Callable[[bytes, Rng, bytes], bytes | None]  # of a file's bytes, with a file of the same kind at hand


def _at(data: bytes, rng: Rng) -> int:
    return int(rng.integers(0, max(1, len(data))))


def cut(data: bytes, rng: Rng, other: bytes) -> bytes:
    return data[: _at(data, rng)]


def empty(data: bytes, rng: Rng, other: bytes) -> bytes:
    return b""


def deleted(data: bytes, rng: Rng, other: bytes) -> None:
    return None


def bit(data: bytes, rng: Rng, other: bytes) -> bytes:
    i = _at(data, rng)
    return data[:i] + bytes([data[i] ^ 1 << int(rng.integers(8))]) + data[i + 1 :]


def byte(data: bytes, rng: Rng, other: bytes) -> bytes:
    i = _at(data, rng)
    return data[:i] + rng.bytes(1) + data[i + 1 :]


def head(data: bytes, rng: Rng, other: bytes) -> bytes:
    """A byte among the first hundreds, where headers are."""
    i = int(rng.integers(0, min(len(data), 400)))
    return data[:i] + rng.bytes(1) + data[i + 1 :]


def zeros(data: bytes, rng: Rng, other: bytes) -> bytes:
    i, n = _at(data, rng), int(rng.integers(1, 600))
    return (data[:i] + bytes(n) + data[i + n :])[: len(data)]


def tail(data: bytes, rng: Rng, other: bytes) -> bytes:
    return data + rng.bytes(int(rng.integers(1, 64)))


def twice(data: bytes, rng: Rng, other: bytes) -> bytes:
    return data + data


def others(data: bytes, rng: Rng, other: bytes) -> bytes:
    """The file of another run, with all that is right in itself."""
    return other


def half_others(data: bytes, rng: Rng, other: bytes) -> bytes:
    i = _at(data, rng)
    return data[:i] + other[i:]


def not_text(data: bytes, rng: Rng, other: bytes) -> bytes:
    i = _at(data, rng)
    return data[:i] + b"\xff\xfe\xc3" + data[i:]


def utf16(data: bytes, rng: Rng, other: bytes) -> bytes:
    return data.decode("latin-1").encode("utf-16")


def line_gone(data: bytes, rng: Rng, other: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[int(rng.integers(len(lines)))]
    return b"".join(lines)


def line_twice(data: bytes, rng: Rng, other: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    i = int(rng.integers(len(lines)))
    return b"".join([*lines[: i + 1], *lines[i:]])


def lines_swapped(data: bytes, rng: Rng, other: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    i, j = rng.integers(len(lines), size=2)
    lines[i], lines[j] = lines[j], lines[i]
    return b"".join(lines)


def digit(data: bytes, rng: Rng, other: bytes) -> bytes:
    """One digit is another."""
    places = [match.start() for match in re.finditer(rb"[0-9]", data)]
    i = places[int(rng.integers(len(places)))] if places else 0
    return data[:i] + str(int(rng.integers(10))).encode() + data[i + 1 :]


def number(data: bytes, rng: Rng, other: bytes) -> bytes:
    """A number is none: not finite, of thousands of digits, a word, a list, nothing."""
    words = [b"NaN", b".nan", b"-.inf", b"1e999", b"1" * 5000, b'"7"', b"[1]", b"null", b"true", b"{}", b""]
    places = list(re.finditer(rb"(?<![\w.])-?[0-9]+(\.[0-9]+)?(?![\w.])", data))
    if not places:
        return tail(data, rng, other)
    match = places[int(rng.integers(len(places)))]
    return data[: match.start()] + words[int(rng.integers(len(words)))] + data[match.end() :]


def key(data: bytes, rng: Rng, other: bytes) -> bytes:
    """A key has another name."""
    places = list(re.finditer(rb"(\w+)\"?:", data))
    if not places:
        return tail(data, rng, other)
    match = places[int(rng.integers(len(places)))]
    return data[: match.start(1)] + b"kez" + data[match.end(1) :]


def nested(data: bytes, rng: Rng, other: bytes) -> bytes:
    return b"[" * 100_000


def other_json(data: bytes, rng: Rng, other: bytes) -> bytes:
    values = [None, 3, "text", [], {}, [1, 2], {"id": None}, {"kind": []}, {"version": 1}, True]
    return json.dumps(values[int(rng.integers(len(values)))]).encode() + b"\n"


def _tensors(change: Callable[[torch.Tensor], torch.Tensor]) -> Damage:
    def damage(data: bytes, rng: Rng, other: bytes) -> bytes:
        tensors = load(data)
        names = [name for name, tensor in tensors.items() if tensor.ndim == 2]
        name = sorted(names)[int(rng.integers(len(names)))]
        return save(tensors | {name: change(tensors[name]).contiguous()})

    return damage


def tensor_gone(data: bytes, rng: Rng, other: bytes) -> bytes:
    tensors = load(data)
    del tensors[sorted(tensors)[int(rng.integers(len(tensors)))]]
    return save(tensors)


def tensor_more(data: bytes, rng: Rng, other: bytes) -> bytes:
    return save(load(data) | {"more": torch.zeros(2)})


ANY: dict[str, Damage] = {
    f.__name__: f for f in (cut, empty, deleted, bit, byte, head, zeros, tail, twice, others, half_others)
}
TEXT: dict[str, Damage] = {
    f.__name__: f
    for f in (not_text, utf16, line_gone, line_twice, lines_swapped, digit, number, key, nested, other_json)
}
WEIGHTS: dict[str, Damage] = {
    "layer of zeros": _tensors(torch.zeros_like),
    "layer of NaN": _tensors(lambda t: torch.full_like(t, torch.nan)),
    "one infinity": _tensors(lambda t: t.index_fill(0, torch.tensor([0]), torch.inf)),
    "layer turned": _tensors(lambda t: t.T),
    "layer in double": _tensors(torch.Tensor.double),
    "layer in whole numbers": _tensors(torch.Tensor.int),
    "layer widened": _tensors(lambda t: torch.cat([t, t])),
    "tensor gone": tensor_gone,
    "tensor more": tensor_more,
}


def damages_of(data: bytes, name: str) -> dict[str, Damage]:
    """Those that fit a file."""
    if name.endswith(".safetensors"):
        return ANY | WEIGHTS
    return ANY if name.endswith(".npz") else ANY | TEXT
