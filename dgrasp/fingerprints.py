"""The code that a stage is made of: the modules that its entry imports, found by reading them, and a digest of each.

Digests are of syntax trees without docstrings: comments, docstrings and layout do not count, names of modules do.
Imports inside functions count, imports for type checkers alone do not. A package's `__init__` is left out where it is
but a docstring, or a table of names and a look at what is installed (`dgrasp.lazy`): who imports such a name depends
on the module that defines it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

PACKAGE = __name__.partition(".")[0]
DOORS = f"{PACKAGE}.lazy"  # whose functions are all that a package's `__init__` calls which is left out
_Stamp = tuple[int, int]  # time and size of a file


def code_of(entries: Iterable[str]) -> dict[str, str]:
    """Digests of the entry modules and of all that they import of this package, or of the entries' own packages.

    Raises ValueError for a module that cannot be found.
    """
    entries = tuple(entries)
    roots = {name: _root(name) for name in {PACKAGE, *(entry.partition(".")[0] for entry in entries)}}
    asked = entries, tuple(sorted(roots.items()))
    if asked not in _known or any(_stamp(path) != stamp for path, stamp in _known[asked].stamps.items()):
        _known[asked] = _Code(roots).closure(entries)
    return dict(_known[asked].digests)


def package_digest(name: str) -> str:
    """One digest of a whole module or package, names of files included; raises ValueError if it cannot be found."""
    files = _files(name, _root(name))
    if not files:
        raise ValueError(f"unknown module {name!r}: no code to take a digest of")
    digest = hashlib.sha256()
    for module, path in sorted(files.items()):
        digest.update(f"{module}={_read(path).digest}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class _Closure:
    """Digests by module, and how the files stood that they were taken of."""

    digests: Mapping[str, str]
    stamps: Mapping[Path, _Stamp | None]


_known: dict[tuple[Any, ...], _Closure] = {}  # a notebook opens the same stages many times


class _Code:
    """The modules of some packages by name, read when they are asked for."""

    def __init__(self, roots: Mapping[str, Path | None]) -> None:
        self.files: dict[str, Path] = {}
        for package, root in roots.items():
            self.files |= _files(package, root)

    def closure(self, entries: Iterable[str]) -> _Closure:
        seen: dict[str, _Source] = {}
        todo = list(entries)
        for name in todo:
            if name not in self.files:
                raise ValueError(f"unknown module {name!r} in a stage's code (the task's?): no .py file of it is found")
        while todo:
            name = todo.pop()
            if name not in seen:
                seen[name] = _read(self.files[name])
                todo += self._needed(name)
        digests = {name: seen[name].digest for name in sorted(seen) if not self._is_table(name)}
        return _Closure(digests, {self.files[name]: _stamp(self.files[name]) for name in seen})

    def _needed(self, name: str) -> Iterator[str]:
        """The modules that run before this one, or because of it."""
        if self._is_table(name):
            return
        yield from self._parents(name)
        package = name if self.files[name].name == "__init__.py" else name.rpartition(".")[0]
        for imported in _read(self.files[name]).imports:
            yield from self._modules(imported.absolute(package))

    def _modules(self, imported: _Import) -> Iterator[str]:
        """The modules whose code an import brings."""
        module, name = imported.module, imported.name
        if name is not None and f"{module}.{name}" in self.files:
            module, name = f"{module}.{name}", None
        if module not in self.files:
            return
        yield module
        homes = _read(self.files[module]).homes
        if name is None or name == "*":  # any of them may be used
            yield from homes.values()
        elif name in homes:
            yield homes[name]

    def _parents(self, name: str) -> Iterator[str]:
        """Packages are run before their modules."""
        while name := name.rpartition(".")[0]:
            if name in self.files:
                yield name

    def _is_table(self, name: str) -> bool:
        """Whether its code decides no number: a table of names, or the looks at what is installed."""
        return name == DOORS or (self.files[name].name == "__init__.py" and _read(self.files[name]).table)


@dataclass(frozen=True)
class _Import:
    """`from module import name`, with so many dots before it; name is None for `import module`."""

    module: str
    name: str | None = None
    dots: int = 0

    def absolute(self, package: str) -> _Import:
        """The same without dots, seen from a module of `package`."""
        if not self.dots:
            return self
        above = package.split(".")[: len(package.split(".")) - self.dots + 1]
        return _Import(".".join([*above, *([self.module] if self.module else [])]), self.name)


@dataclass(frozen=True)
class _Source:
    """What is read off one file."""

    digest: str
    imports: tuple[_Import, ...]
    table: bool  # of names, or nothing at all
    homes: Mapping[str, str]  # of the table


def _root(package: str) -> Path | None:
    """The folder of a package that stands by itself, or the file of a module; None if there is none."""
    if "." in package or package == "__main__":  # a script has no name of its own
        return None
    spec = importlib.util.find_spec(package)  # which runs nothing
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None


def _files(package: str, root: Path | None) -> dict[str, Path]:
    """Files by the names of their modules."""
    if root is None:
        return {}
    if root.is_file():
        return {package: root}
    found = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)])] = path
    return found


def _stamp(path: Path) -> _Stamp | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _read(path: Path) -> _Source:
    return _read_as_of(path, _stamp(path))


@lru_cache(maxsize=4096)
def _read_as_of(path: Path, stamp: _Stamp | None) -> _Source:
    return _source(path.read_text(encoding="utf-8"))


@cache
def _source(text: str) -> _Source:
    tree = _without_docstrings(ast.parse(text))
    homes = _table(tree)
    digest = hashlib.sha256(_syntax(tree).encode()).hexdigest()
    return _Source(digest, tuple(_imports(tree)), table=homes is not None, homes=homes or {})


def _imports(node: ast.AST) -> Iterator[_Import]:
    if isinstance(node, ast.Import):
        yield from (_Import(alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (_Import(node.module or "", alias.name, node.level) for alias in node.names)
    elif isinstance(node, ast.If) and _for_type_checkers(node.test):
        yield from (found for child in node.orelse for found in _imports(child))
    else:
        yield from (found for child in ast.iter_child_nodes(node) for found in _imports(child))


def _for_type_checkers(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


def _table(tree: ast.Module) -> Mapping[str, str] | None:
    """Name -> module of a table of names; empty for a file that does nothing; None for any other file."""
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    doors = {alias.name for node in imported if node.module == DOORS for alias in node.names}
    assigned: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            assigned[node.targets[0].id] = node.value
    table = assigned.get("__getattr__")
    if table is not None and _calls(table, doors):
        assert isinstance(table, ast.Call)
        given = table.args[1]
        homes: Mapping[str, str] = ast.literal_eval(assigned[given.id] if isinstance(given, ast.Name) else given)
        return homes
    idle = all(n in imported or (isinstance(n, ast.Expr) and _calls(n.value, doors)) for n in tree.body)
    return {} if idle and all(node.module in (DOORS, "__future__") for node in imported) else None


def _calls(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return tree


def _syntax(node: object) -> str:
    """Text of a syntax tree. Unlike `ast.dump`, the same for every supported Python: absent parts are left out."""
    if isinstance(node, list):
        return "[" + ",".join(map(_syntax, node)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = [f"{name}={_syntax(value)}" for name, value in ast.iter_fields(node) if value is not None and value != []]
    return f"{type(node).__name__}({','.join(parts)})"
