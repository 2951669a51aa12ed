"""What the evaluation of an expression does to locals, as events."""
import re

from edo_lint.model import Local, Source
from edo_lint.tree import (CASTS, LOADS, children, is_edo_header, is_operation, is_record, kind,
                           parameter_count, place_of, points_to_const, spelled_in, strip,
                           strip_parens, type_of)

NO_RETURN = {"abort", "exit", "_exit", "_Exit", "quick_exit", "__builtin_trap",
             "__builtin_unreachable"}
UNEVALUATED = {"__builtin_constant_p", "__builtin_object_size", "__builtin_dynamic_object_size"}
RETURN_ARGUMENT = {"strchr", "strrchr", "strstr", "strpbrk", "strtok", "strtok_r", "strcpy",
                   "strcat", "strncpy", "strncat", "stpcpy", "memchr", "memrchr", "memcpy",
                   "memmove", "memset"}
SPAWNS = re.compile(r"edo__(\w+_)?spawn(_member|_key)?$")


class Target:
    """What an lvalue denotes: a local or a member of it; or memory, by a path if that is known."""

    def __init__(self, local=None, field="", path=None, weak=False, base=()):
        self.local, self.field, self.path = local, field, path
        self.weak = weak                # an element: other elements keep what they hold
        self.base = base                # sources of the pointer that it was reached through

    def member(self, name, of_union):
        if self.local:
            field = self.field or ("" if of_union else name)
            return Target(self.local, field, weak=self.weak)
        return Target(path=self.path and self.path + (name,), base=self.base)

    def element(self):
        if self.local:
            return Target(self.local, self.field, weak=True)
        return Target(base=self.base)

    def address(self, place):
        if self.local:
            return [Source("address", self.local, self.field, place)]
        return list(self.base)


class ValueBuilder:
    """Emits what an expression does, and answers the sources of its result.

    GraphBuilder has the rest: blocks, statements and conditions.
    """

    def value(self, node):
        handler = getattr(self, "value_" + kind(node), None)
        return handler(node) if handler else self.values(children(node))

    def values(self, nodes):
        return [source for node in nodes if node for source in self.value(node)]

    def value_nothing(self, node):
        return []

    value_UnaryExprOrTypeTraitExpr = value_OffsetOfExpr = value_AddrLabelExpr = value_nothing
    value_DeclRefExpr = value_OpaqueValueExpr = value_nothing

    def value_cast(self, node):
        inner = children(node)[-1]
        if node.get("castKind") == "LValueToRValue":
            return self.load(self.target(inner), node)
        if node.get("castKind") == "ArrayToPointerDecay":
            return self.target(inner).address(place_of(inner))
        return self.value(inner)

    value_ImplicitCastExpr = value_CStyleCastExpr = value_cast

    def load(self, target, node):
        if not target.local:
            return []
        self.emit("use", target.local, target.field, (), place_of(node))
        return [Source("value", target.local, target.field, place_of(node))]

    def value_UnaryOperator(self, node):
        operand, opcode = children(node)[0], node["opcode"]
        if opcode == "&":
            return self.target(operand).address(place_of(node))
        if opcode in ("++", "--"):
            target = self.target(operand)
            sources = self.load(target, node)
            self.store(target, sources, node)
            return sources
        return self.value(operand)

    def value_BinaryOperator(self, node):
        left, right = children(node)
        opcode = node["opcode"]
        if opcode == "=":
            return self.assign(left, right, node)
        if opcode in ("&&", "||"):
            self.join(*self.short_circuit(node, opcode == "&&"))
            return []
        before, after = self.value(left), self.value(right)
        if opcode == ",":
            return after
        return [] if opcode in ("<", ">", "<=", ">=", "==", "!=") else before + after

    def assign(self, left, right, node):
        sources = self.value(right)
        self.store(self.target(left), sources, node)
        return sources

    def value_CompoundAssignOperator(self, node):
        left, right = children(node)
        sources = self.value(right)
        target = self.target(left)
        sources = sources + self.load(target, left)
        self.store(target, sources, node)
        return sources

    def store(self, target, sources, node):
        const = points_to_const(type_of(node))
        for source in sources:
            if source.kind == "address":
                self.emit("use" if const else "fill", source.local, source.field, (), source.place)
        if target.local:
            self.emit("weak" if target.weak else "assign", target.local, target.field, sources)
        else:
            self.emit("escape", None, "", sources, place_of(node),
                      (target.path, target.base, is_operation(type_of(node))))

    def value_ConditionalOperator(self, node):
        condition, *results = children(node)
        sources, ends = [], []
        for block, result in zip(self.condition(condition), results):
            self.block = block
            sources += self.value(result)
            ends.append(self.block)
        self.join(*ends)
        return sources

    def value_BinaryConditionalOperator(self, node):
        tested, otherwise = children(node)[0], children(node)[-1]
        sources = self.value(tested)
        head = self.block
        self.block = self.new_block(head)
        sources = sources + self.value(otherwise)
        self.join(head, self.block)
        return sources

    def value_StmtExpr(self, node):
        self.depth_of_values += 1
        *before, last = children(children(node)[0]) or [{}]
        for child in before:
            self.statement(child)
        sources = []
        if hasattr(self, "on_" + kind(last)):
            self.statement(last)
        elif last:
            sources = self.value(last)
        self.depth_of_values -= 1
        return sources

    def value_GenericSelectionExpr(self, node):
        chosen = next((child for child in children(node) if child.get("selected")), {})
        return self.values(children(chosen)[-1:])

    def value_CompoundLiteralExpr(self, node):
        return self.load(self.literal(node), node)

    def literal(self, node):
        identity = node["id"]
        self.locals[identity] = Local("", type_of(node), True,
                                      is_edo_header(spelled_in(node)))
        self.emit("declare", identity)
        self.store(Target(identity), self.values(children(node)), {})
        return Target(identity)

    # calls

    def value_CallExpr(self, node):
        callee, *arguments = children(node)
        named = strip(callee).get("referencedDecl", {}).get("name", "")
        if named in UNEVALUATED:
            return []
        function_type = type_of(strip(callee))
        sources = self.value(callee)
        for index, argument in enumerate(arguments):
            variable = "..." in function_type and index >= parameter_count(function_type) - 1
            sources = sources + self.argument(argument, named, variable, type_of(node))
        if SPAWNS.match(named):
            self.emit("spawn", None, "", sources, place_of(node))
        if named == "edo__shield":
            self.emit("shield", None)
        if "noreturn" in function_type or named in NO_RETURN:
            self.leave()
        return self.returned(sources, named, type_of(node))

    @staticmethod
    def returned(sources, callee, result):
        """What of the arguments may lie in a call's result."""
        if is_operation(result) or callee in RETURN_ARGUMENT:
            return sources
        if is_record(result):
            return [source._replace(sure=False) for source in sources]
        return []

    def value_AtomicExpr(self, node):
        self.values(children(node))
        return []

    def argument(self, node, callee, variable, result):
        sources = self.value(node)
        reads = points_to_const(type_of(node)) or (variable and "scanf" not in callee)
        for source in sources:
            if source.kind == "address" and reads:
                self.emit("use", source.local, source.field, (), source.place)
            elif source.kind == "address":
                self.emit("hand", source.local, source.field, (), source.place, (callee, result))
        return sources

    # lvalues

    def target(self, node):
        node = strip_parens(node)
        handler = getattr(self, "target_" + kind(node), None)
        if handler:
            return handler(node)
        return Target(base=self.value(node))

    def target_DeclRefExpr(self, node):
        declared = node["referencedDecl"]
        if declared["id"] in self.locals:
            return Target(declared["id"])
        return Target(path=(declared.get("name", ""),))

    def target_MemberExpr(self, node):
        base = children(node)[0]
        target = self.pointed(base) if node.get("isArrow") else self.target(base)
        return target.member(node.get("name", ""), type_of(base).startswith("union "))

    def target_ArraySubscriptExpr(self, node):
        base, index = children(node)
        target = self.pointed(base)
        self.value(index)
        return target.element()

    def target_UnaryOperator(self, node):
        if node["opcode"] == "*":
            return self.pointed(children(node)[0]).element()
        return Target(base=self.value(node))

    def target_CompoundLiteralExpr(self, node):
        return self.literal(node)

    def pointed(self, node):
        """The target of a pointer; directly where it is an address of something named."""
        inner = strip_parens(node)
        while kind(inner) in CASTS and inner.get("castKind") not in LOADS:
            inner = strip_parens(children(inner)[-1])
        if inner.get("castKind") == "ArrayToPointerDecay" or (
                kind(inner) == "UnaryOperator" and inner["opcode"] == "&"):
            return self.target(children(inner)[0])
        return Target(path=self.path_of(strip(inner)), base=self.value(node))

    def path_of(self, node):
        names = []
        while kind(node) == "MemberExpr":
            names.append(node.get("name", ""))
            node = strip(children(node)[0])
        if kind(node) != "DeclRefExpr":
            return None
        return (node["referencedDecl"].get("name", ""), *reversed(names))
