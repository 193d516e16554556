"""One hash of the sources behind a result, so that a changed package never takes values of an earlier one.

The result of a module depends on its own text, and on the text of every module of this package that it imports. Imports
through other modules and imports within functions count as well. The hash covers the names and texts of all these
modules, in the order of their names. The hash depends neither on earlier imports nor on the place of the package.
Imports for type checkers alone do not run and do not count. Other packages do not count either.
"""

import ast
import hashlib
import importlib
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import resolve_name
from pathlib import Path

_NAME = __name__.partition(".")[0]
_FOLDER = Path(__file__).resolve().parents[2]


@lru_cache(maxsize=256)
def sources_sha256(*modules: str) -> str:
    """Hash of the sources of ``modules`` and of all modules of this package that they import.

    Args:
        modules: dotted names; one that is not of this package must be importable, and have a file.
    """
    found = dict(sorted(closure(modules).items()))
    # Lengths of the texts are hashed too, by way of their hashes: no two sets of files give the same text.
    parts = [f"{name} {hashlib.sha256(text).hexdigest()}" for name, text in found.items()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def closure(modules: tuple[str, ...]) -> dict[str, bytes]:
    """Return name to text of ``modules`` and of every module of this package that they import, also indirectly."""
    found: dict[str, bytes] = {}
    left = list(modules)
    while left:
        name = left.pop()
        if name not in found:
            found[name], imported = read_module(name)
            left += imported
    return found


@lru_cache(maxsize=1024)
def read_module(name: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the text of a module, and the names of the modules of this package that the module imports.

    The packages that contain the module are among these names, because Python imports them, too.
    """
    path = module_path(name)
    if path is None:
        file = importlib.import_module(name).__file__
        assert file is not None
        path = Path(file)
    text = path.read_bytes()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    parents = [name[:end] for end, letter in enumerate(name) if letter == "."]
    wanted = {*parents, *_imported(ast.parse(text), package)}
    return text, tuple(each for each in sorted(wanted) if module_path(each) is not None)


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Names that ``tree`` imports. ``from a import b`` gives both ``a`` and ``a.b``, which may be a module."""
    if isinstance(tree, ast.Import):
        yield from (alias.name for alias in tree.names)
    elif isinstance(tree, ast.ImportFrom):
        base = resolve_name("." * tree.level + (tree.module or ""), package) if tree.level else tree.module or ""
        yield base
        yield from (f"{base}.{alias.name}" for alias in tree.names)
    # Statements alone are walked, since no expression imports: most of a tree is expressions.
    skipped = isinstance(tree, ast.If) and ast.unparse(tree.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    for block in ("orelse",) if skipped else ("body", "orelse", "handlers", "finalbody", "cases"):
        for node in getattr(tree, block, ()):
            yield from _imported(node, package)


@lru_cache(maxsize=4096)
def module_path(name: str) -> Path | None:
    """File of the module ``name`` of this package; ``None`` if it is no such module."""
    top, *rest = name.split(".")
    if top != _NAME:
        return None
    folder = _FOLDER.joinpath(*rest)
    if (folder / "__init__.py").is_file():
        return folder / "__init__.py"
    module = folder.with_name(f"{folder.name}.py")
    return module if rest and module.is_file() else None
