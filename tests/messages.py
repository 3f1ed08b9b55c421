"""Every message of the exception tree, as one page: ``python -m tests.messages`` writes ``tests/messages.txt``.

The messages are read from the source, so that a change of one shows in the diff of that file. Expressions stand in
braces, and alternatives in angle brackets.
"""

from __future__ import annotations

import ast
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tfexport

PACKAGE = Path(tfexport.__file__).parent
FILE = Path(__file__).with_name("messages.txt")
COMMAND = "make messages"
_WIDTH = 120
_HEADER = f"""\
Every message of the exception tree. Written by `{COMMAND}` from the source; not edited by hand.
Expressions stand in braces, alternatives in angle brackets. Errors are in the order of tfexport/errors.py.
"""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Message:
    """One place where an error of the tree is made.

    Attributes:
        error: Name of the error's class.
        module: Path of the module, relative to the package.
        text: The message as a template.
    """

    error: str
    module: str
    text: str


@dataclass(frozen=True)
class _Module:
    """A parsed module with what its templates may refer to."""

    tree: ast.Module
    functions: Mapping[str, Function]
    constants: Mapping[str, list[ast.expr]]


@dataclass(frozen=True)
class _Scope:
    """Names that a template can be resolved in: those of a function before those of its module."""

    module: _Module
    assigned: Mapping[str, list[ast.expr]]
    resolving: frozenset[str] = frozenset()

    def values(self, name: str) -> list[ast.expr]:
        return self.assigned.get(name) or self.module.constants.get(name, [])

    def within(self, function: Function) -> _Scope:
        """The scope of a function of the same module, which must not resolve itself again."""
        return _Scope(self.module, _assignments(function), self.resolving | {function.name})

    def without(self, name: str) -> _Scope:
        return _Scope(self.module, self.assigned, self.resolving | {name})


@cache
def error_names() -> tuple[str, ...]:
    """Names of the classes of the exception tree, in the order of their file."""
    return tuple(definition.name for definition in _definitions())


def messages() -> list[Message]:
    """Every message, in the order of the modules and of the lines in them."""
    return [message for file in sorted(PACKAGE.rglob("*.py")) for message in _of_module(file)]


def page(found: Iterable[Message]) -> str:
    """The messages as text: by error in the order of the tree, then by module."""
    by_error: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for message in found:
        if message.text not in by_error[message.error][message.module]:
            by_error[message.error][message.module].append(message.text)
    chapters = [_chapter(name, by_error[name]) for name in error_names() if by_error[name]]
    return "\n".join([_HEADER, *chapters])


def _chapter(error: str, by_module: Mapping[str, list[str]]) -> str:
    lines = [error, "=" * len(error), ""]
    for module, texts in by_module.items():
        lines.append(f"  {module}")
        for text in texts:
            lines += textwrap.wrap(
                text,
                _WIDTH,
                initial_indent="    - ",
                subsequent_indent="      ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        lines.append("")
    return "\n".join(lines)


def _of_module(file: Path) -> Iterator[Message]:
    module = _parse(file)
    name = file.relative_to(PACKAGE).as_posix()
    for scope, node in _with_scopes(module):
        error = _error_of(node)
        if error is not None and error not in _with_constructors() and node.args:
            yield Message(error, name, _render(node.args[0], scope))
    if name == "errors.py":
        yield from _of_constructors(module, name)


def _of_constructors(module: _Module, name: str) -> Iterator[Message]:
    """Messages that a class of the tree builds in its own ``__init__``."""
    for error, constructor in _with_constructors().items():
        scope = _Scope(module, _assignments(constructor))
        for node in ast.walk(constructor):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
                yield Message(error, name, _render(node.args[0], scope))


def _error_of(node: ast.Call) -> str | None:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name if name in error_names() else None


@cache
def _with_constructors() -> dict[str, Function]:
    """The ``__init__`` of each class that has one: its arguments are not the message."""
    return {
        definition.name: function
        for definition in _definitions()
        for function in definition.body
        if isinstance(function, ast.FunctionDef) and function.name == "__init__"
    }


@cache
def _definitions() -> tuple[ast.ClassDef, ...]:
    tree = ast.parse((PACKAGE / "errors.py").read_text())
    return tuple(node for node in tree.body if isinstance(node, ast.ClassDef))


def _parse(file: Path) -> _Module:
    tree = ast.parse(file.read_text())
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, Function)}
    return _Module(tree, functions, _assignments(tree))


def _assignments(block: ast.Module | Function) -> dict[str, list[ast.expr]]:
    """Values by the plain name that they are assigned to in a block, functions inside it left out."""
    found: dict[str, list[ast.expr]] = defaultdict(list)
    for node in _own_nodes(block):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id].append(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found[node.target.id].append(node.value)
    return dict(found)


def _own_nodes(block: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(block):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield from _own_nodes(child)


def _with_scopes(module: _Module) -> Iterator[tuple[_Scope, ast.Call]]:
    """Every call with the scope of the innermost function around it, in the order of the lines."""

    def walk(node: ast.AST, scope: _Scope) -> Iterator[tuple[_Scope, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call):
                yield scope, child
            yield from walk(child, scope.within(child) if isinstance(child, Function) else scope)

    yield from walk(module.tree, _Scope(module, {}))


def _render(node: ast.expr, scope: _Scope) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text.replace("\n", "\\n")
        case ast.JoinedStr(values=values):
            return "".join(_render(value, scope) for value in values)
        case ast.FormattedValue(value=value):
            return _expanded(value, scope)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _render(left, scope) + _render(right, scope)
    return _expanded(node, scope)


def _expanded(node: ast.expr, scope: _Scope) -> str:
    """An expression as the texts that it can be, or as itself in braces."""
    texts = list(dict.fromkeys(_texts(node, scope)))
    if not texts:
        return f"{{{ast.unparse(node)}}}"
    return texts[0] if len(texts) == 1 else f"<{' | '.join(text or 'nothing' for text in texts)}>"


def _texts(node: ast.expr, scope: _Scope) -> list[str]:
    """The templates that an expression can be; none where it is not made of text in its own module."""
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr() | ast.BinOp(op=ast.Add()):
            return [_render(node, scope)]
        case ast.IfExp(body=body, orelse=orelse):
            return [_expanded(body, scope), _expanded(orelse, scope)]
        case ast.Name(id=name) if name not in scope.resolving and scope.values(name):
            return _if_text(scope.values(name), scope.without(name))
        case ast.Call(func=ast.Attribute(value=ast.JoinedStr() as text, attr="rstrip")):
            return [_render(text, scope)]
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name)) if (
            name in scope.module.functions and name not in scope.resolving
        ):
            function = scope.module.functions[name]
            returned = [each.value for each in _own_nodes(function) if isinstance(each, ast.Return) and each.value]
            return _if_text(returned, scope.within(function))
    return []


def _if_text(nodes: list[ast.expr], scope: _Scope) -> list[str]:
    """The templates of expressions, if at least one of them is text."""
    if not any(_texts(node, scope) for node in nodes):
        return []
    return [text for node in nodes for text in _texts(node, scope) or [_expanded(node, scope)]]


if __name__ == "__main__":
    FILE.write_text(page(messages()))
