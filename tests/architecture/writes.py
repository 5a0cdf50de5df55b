"""What a door must not do: write rows, or set a status. Found in the syntax tree, so it is a judgement by shape.

A call is a write when its name can only mean a row or a queryset (`bulk_create`, `get_or_create`, ...), or when it is
`save` or `delete` on anything but a form's harmless neighbours (a session, a cache, a storage), or when it is `create`
or `update` on something that comes out of a manager: an expression with `.objects` or a queryset method in it, or a
name that was assigned from one. So `dict.update`, `set.update`, `hashlib.update` and `stage.update(...)` pass. A form
may be cleaned but not saved, and a serializer neither: both would write behind the stages' back.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

ALWAYS = {"bulk_create", "bulk_update", "get_or_create", "update_or_create", "aupdate", "acreate", "asave", "adelete"}
UNLESS_KEPT_ELSEWHERE = {"save", "delete"}
IF_FROM_A_MANAGER = {"create", "update"}
KEPT_ELSEWHERE = {"session", "cache", "storage"}
QUERYSET = {"objects", "filter", "exclude", "order_by", "select_related", "select_for_update", "annotate", "all"}


def row_writes(source: ast.AST) -> Iterator[tuple[int, str]]:
    """Every (line, code) that writes a row."""
    managers = {
        target.id
        for node in ast.walk(source)
        if isinstance(node, ast.Assign) and comes_from_a_manager(node.value, set())
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(source):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, receiver = node.func.attr, node.func.value
            if (
                name in ALWAYS
                or (name in UNLESS_KEPT_ELSEWHERE and last_name(receiver) not in KEPT_ELSEWHERE)
                or (name in IF_FROM_A_MANAGER and comes_from_a_manager(receiver, managers))
            ):
                yield node.lineno, ast.unparse(node.func)


def status_writes(source: ast.AST) -> Iterator[tuple[int, str]]:
    """Every (line, code) that sets the status of a row that exists: by attribute, by setattr, or by an update."""
    for node in ast.walk(source):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Attribute) and target.attr == "status" for target in targets):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Call) and sets_status(node):
            yield node.lineno, ast.unparse(node.func)


def sets_status(call: ast.Call) -> bool:
    name = last_name(call.func)
    texts = {text.value for text in ast.walk(call) if isinstance(text, ast.Constant)}
    if name == "update":
        return any(keyword.arg == "status" for keyword in call.keywords)
    return name in {"setattr", "bulk_update", "update_or_create"} and "status" in texts


def comes_from_a_manager(node: ast.AST, managers: set[str]) -> bool:
    return any(
        (isinstance(part, ast.Attribute) and part.attr in QUERYSET)
        or (isinstance(part, ast.Name) and part.id in managers)
        for part in chain(node)
    )


def chain(node: ast.AST) -> Iterator[ast.AST]:
    """The receiver of the receiver of ...: `Row.objects.filter(...)` gives the call, filter, objects and Row."""
    yield node
    if isinstance(node, ast.Call):
        yield from chain(node.func)
    elif isinstance(node, ast.Attribute | ast.Subscript):
        yield from chain(node.value)


def last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
