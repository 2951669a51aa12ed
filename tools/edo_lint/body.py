"""One async function: the rules that need no flow, and the flow's."""
from edo_lint import calls, limits
from edo_lint.flow import Flow
from edo_lint.graph import GraphBuilder
from edo_lint.report import Finding
from edo_lint.tree import (children, is_edo_header, is_variable_length, kind, place_of, spelled_in,
                           strip, type_of, walk)

START_LABEL = "edo_start_"              # what edo_body begins with


class Body:
    """One async function's body, as dumped."""

    def __init__(self, node):
        self.node = node
        self.statements = children(next(c for c in children(node) if kind(c) == "CompoundStmt"))
        self.start = next(i for i, child in enumerate(self.statements) if is_start(child))

    def findings(self):
        early = self.declared_before()
        graph = GraphBuilder()
        graph.statement({"kind": "CompoundStmt", "inner": self.statements})
        found = Flow(graph, {node["id"] for node in early}).run()
        found += [early_local(node) for node in early]
        found += limits.findings(graph)
        for node in walk(self.node):
            found += self.plain(node)
        return found

    def declared_before(self):
        before = {node["id"]: node for statement in self.statements[:self.start]
                  for node in walk(statement)
                  if kind(node) == "VarDecl" and node.get("storageClass") != "static"}
        used = {node.get("referencedDecl", {}).get("id") for statement in
                self.statements[self.start:] for node in walk(statement)}
        return [node for identity, node in before.items() if identity in used]

    @staticmethod
    def plain(node):
        if kind(node) == "VarDecl":
            yield from declaration(node)
        elif kind(node) == "CompoundStmt":
            yield from calls.unused(node)
        elif kind(node) == "DoStmt":
            yield from calls.narrowed(node)
        elif kind(node) == "CallExpr":
            yield from calls.lent(node)
            callee = strip(children(node)[0]).get("referencedDecl", {}).get("name", "")
            if callee == "alloca" or callee.startswith("__builtin_alloca"):
                yield finding(node, "edo-alloca", "alloca in an async function: its memory is gone "
                              "at the next await; use the frame or the heap")
        elif kind(node) == "ReturnStmt" and not is_edo_header(spelled_in(node)):
            yield finding(node, "edo-return",
                          "return written by hand in an async function; use edo_return")


def early_local(node):
    return finding(node, "edo-before-body",
                   f"local '{node['name']}' is declared before edo_body, where every poll starts "
                   "it anew; declare it inside the braces, or put it in the frame")


def declaration(node):
    name = node.get("name", "")
    if any(kind(child) == "CleanupAttr" for child in children(node)):
        yield finding(node, "edo-cleanup", f"local '{name}' has a cleanup attribute, which an "
                      "await runs early or never; clean up by hand")
    if is_variable_length(type_of(node)):
        yield finding(node, "edo-vla", f"local '{name}' has a variable length, which an await "
                      "cannot keep; give it a fixed size, or use the heap")


def finding(node, rule, message):
    return Finding(place_of(node), rule, message, ())


def has_start(statements):
    return any(is_start(child) for child in statements)


def is_start(node):
    return kind(node) == "LabelStmt" and node["name"] == START_LABEL


def is_async_body(node):
    return any(has_start(children(part)) for part in children(node) if kind(part) == "CompoundStmt")
