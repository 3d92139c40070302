"""Base of all configuration: frozen, typed, finite, and closed (unknown or misspelt keys are refused by name)."""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

Names = TypeVar("Names", bound=Iterable[str])
MOST = 100_000_000  # not in the paper: two hundred times its longest training; more is a slip, and would never end
SHOWN = 120  # characters of a value that was refused: it may be a whole file


class Config(BaseModel):
    """Immutable settings. `Config.model_validate(mapping)` raises pydantic's ValidationError on unknown keys.

    Numbers are finite, also inside tuples and mappings, and no truth values (YAML's `on` is one); whole ones are at
    most `MOST`, where a field sets no bound of its own; names in a list stand there once. What `opt_in` names is left
    out where it is off (None): settings and fingerprints of those who do without it are as if there were no such key.
    """

    opt_in: ClassVar[frozenset[str]] = frozenset()
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, values: Any) -> Any:
        for name, value in values.items() if isinstance(values, Mapping) else ():
            field = cls.model_fields.get(name)
            kinds = set() if field is None else _kinds(field.annotation)
            if kinds & {int, float} and bool not in kinds and any(isinstance(part, bool) for part in _parts(value)):
                raise ValueError(f"{name}: expected a number, got a truth value")
        return values

    @model_validator(mode="after")
    def _names(self) -> Self:
        for name in type(self).model_fields:
            if isinstance(names := getattr(self, name), tuple) and (twice := _twice(names)):
                raise ValueError(f"{name}: {twice[0]!r} stands twice")
        return self

    @model_validator(mode="after")
    def _no_slips(self) -> Self:
        for name, field in type(self).model_fields.items():
            largest = max(_whole_numbers(getattr(self, name)), default=0)
            if largest > MOST and not any(hasattr(rule, "le") or hasattr(rule, "lt") for rule in field.metadata):
                raise ValueError(f"{name}: expected {MOST:,} at most, got {largest:,}")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if value is not None or name not in self.opt_in}

    def canonical(self) -> str:
        """The settings as JSON with sorted keys: what fingerprints are made of."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """SHA-256 of `canonical()`."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def each(check: Callable[[str], object]) -> AfterValidator:
    """What a type of several names is annotated with: `check` raises ValueError for a name that it does not know."""

    def checked(names: Names) -> Names:
        for name in names:
            check(name)
        return names

    return AfterValidator(checked)


def metres(most: float) -> AfterValidator:
    """What a length or a coordinate in metres is annotated with: beyond `most`, ValueError asks for the unit."""

    def checked(length: float) -> float:
        return check_metres(length, most)

    return AfterValidator(checked)


def check_metres(length: float, most: float, name: str = "") -> float:
    """Raise ValueError, which asks for the unit, for a length or a coordinate beyond `most` metres; returns it.

    name: what the length is of, where no field of settings says it.
    """
    if abs(length) > most:
        whose = f"{name}: " if name else ""
        raise ValueError(f"{whose}{length:g} m; allowed are up to {most:g} m, are these millimetres, not metres?")
    return length


def _kinds(annotation: Any) -> set[Any]:
    """The types in an annotation, however deep."""
    return {annotation}.union(*map(_kinds, get_args(annotation)))


def _parts(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _whole_numbers(value: Any) -> list[int]:
    """Those in a value, also inside tuples."""
    if isinstance(value, tuple):
        return [number for part in value for number in _whole_numbers(part)]
    return [value] if isinstance(value, int) else []


def _twice(values: tuple[Any, ...]) -> list[str]:
    return [value for i, value in enumerate(values) if isinstance(value, str) and value in values[:i]]


def explain(source: str, model: type[Config], error: ValidationError) -> str:
    """What is wrong with settings of `model` that were read from `source`: a line for each, and what is allowed."""
    problems = [problem for problem in error.errors() if not _follows(problem)]
    lines = [f"{source}: {len(problems)} setting(s) not allowed"]
    for problem in problems:
        lines.append(f"  {where(problem)}{_said(problem)}{_allowed(model, problem)}")
    return "\n".join(lines)


def where(problem: ErrorDetails) -> str:
    """The key that a problem is of, and a colon; nothing where a check of all settings names the keys itself."""
    if not problem["loc"] and problem["type"] == "value_error":
        return ""
    return f"{'.'.join(map(str, problem['loc'])) or '(top level)'}: "


def got(problem: ErrorDetails) -> str:
    """What was refused, in brackets; nothing where keys were held against each other: the words name their values."""
    given = problem.get("input")
    if problem["type"] == "value_error" and isinstance(given, Mapping | BaseModel):
        return ""
    return f" (got {_shown(given)})"


def words(problem: ErrorDetails) -> str:
    """Pydantic's words without its name for a check's own."""
    return problem["msg"].removeprefix("Value error, ")


def _follows(problem: ErrorDetails) -> bool:
    """Whether a list counts as too short only since what stands in it is wrong, which is said already."""
    return problem["type"] == "too_short" and len(problem["input"]) > problem["ctx"]["actual_length"]


def _said(problem: ErrorDetails) -> str:
    """Pydantic's words, where they are for people who write files and no Python."""
    return {"tuple_type": "expected a list, as in [1, 2]", "model_type": "expected keys with values"}.get(
        problem["type"], words(problem)
    )


def _allowed(whole: type[Config], problem: ErrorDetails) -> str:
    if not problem["loc"]:
        nothing = problem["type"] == "model_type"
        return f", got {_shown(problem['input'])}; keys: {', '.join(whole.model_fields)}" if nothing else ""
    if problem["type"] != "extra_forbidden":
        return got(problem)
    models: list[type[Config]] = [whole]
    for part in problem["loc"][:-1]:
        below = [m for model in models if part in model.model_fields for m in _configs(model.model_fields[part])]
        chosen = [model for model in models if part in _tags(model)]  # which member of a union
        models = below or chosen or models  # else a key of a mapping, or a place in a list
    return f"; allowed: {', '.join(dict.fromkeys(name for model in models for name in model.model_fields))}"


def _configs(field: FieldInfo | Any) -> list[type[Config]]:
    """The settings that a field may hold, also inside mappings, lists and unions."""
    annotation = field.annotation if isinstance(field, FieldInfo) else field
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return [model for part in get_args(annotation) for model in _configs(part)]


def _tags(model: type[Config]) -> set[Any]:
    """What pydantic calls this member of a union: its class, or the value of its literal field."""
    return {model.__name__, *(value for f in model.model_fields.values() for value in get_args(f.annotation))}


def _shown(value: Any) -> str:
    brief = reprlib.Repr()
    brief.maxlevel, brief.maxstring, brief.maxother = 2, SHOWN, SHOWN
    text = brief.repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
