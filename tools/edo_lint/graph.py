"""The graph of a body: its statements as blocks of events."""
from edo_lint.calls import callee_of
from edo_lint.model import Block, Event, Goto, Label, Local
from edo_lint.tree import children, constant, kind, place_of, strip, strip_parens, type_of, walk
from edo_lint.values import Target, ValueBuilder

AWAIT_LABEL = "edo_at_"


class GraphBuilder(ValueBuilder):
    """One body. Every jump to a label of an await passes its "suspend"; the computed goto that
    resumes there has no edge of its own."""

    def __init__(self):
        self.locals = {}
        self.entry = self.block = Block()
        self.labels = {}
        self.gotos, self.declared_labels = [], {}
        self.limits = ()                # blocks of edo_within around the statement
        self.breaks, self.continues, self.switches = [], [], []
        self.depth_of_values = 0        # inside statement expressions

    # blocks

    def new_block(self, *before):
        block = Block()
        for other in before:
            other.next.append(block)
        return block

    def emit(self, *args, **named):
        self.block.events.append(Event(*args, **named))

    def leave(self, target=None):
        if target:
            self.block.next.append(target)
        self.block = self.new_block()

    def label(self, identity):
        if identity not in self.labels:
            self.labels[identity] = self.new_block()
        return self.labels[identity]

    # statements

    def statement(self, node):
        handler = getattr(self, "on_" + kind(node), None)
        if handler:
            handler(node)
        elif node:
            self.value(node)

    def on_CompoundStmt(self, node):
        for child in children(node):
            self.statement(child)

    on_AttributedStmt = on_CompoundStmt

    def on_NullStmt(self, node):
        pass

    on_RecordDecl = on_EnumDecl = on_TypedefDecl = on_StaticAssertDecl = on_NullStmt

    def on_DeclStmt(self, node):
        for declared in children(node):
            if kind(declared) == "VarDecl":
                self.declare(declared)

    def declare(self, node):
        if node.get("storageClass") in ("static", "extern") or "tls" in node:
            return
        identity = node["id"]
        self.locals[identity] = Local(node.get("name", ""), type_of(node),
                                      self.depth_of_values > 0, False)
        self.emit("declare", identity)
        if "init" in node:
            value = next(child for child in children(node) if not kind(child).endswith("Attr"))
            self.store(Target(identity), self.value(value), value)

    def on_LabelStmt(self, node):
        block = self.label(node["declId"])
        self.declared_labels[node["declId"]] = Label(node["name"], self.limits)
        self.block.next.append(block)
        self.block = block
        if node["name"].startswith(AWAIT_LABEL):
            self.emit("suspend", None, place=place_of(node))
        self.on_CompoundStmt(node)

    def on_GotoStmt(self, node):
        identity = node["targetLabelDeclId"]
        self.gotos.append(Goto(node, identity, self.limits))
        self.leave(self.label(identity))

    def on_IndirectGotoStmt(self, node):
        self.leave()                    # to a place after an await: what "suspend" stands for

    def on_ReturnStmt(self, node):
        for child in children(node):
            self.value(child)
        self.leave()

    def on_BreakStmt(self, node):
        self.leave(self.breaks[-1])

    def on_ContinueStmt(self, node):
        self.leave(self.continues[-1])

    def on_IfStmt(self, node):
        condition, chosen, *otherwise = children(node)
        when_true, when_false = self.condition(condition)
        after = self.new_block()
        for block, part in ((when_true, [chosen]), (when_false, otherwise)):
            self.block = block
            for child in part:
                self.statement(child)
            self.block.next.append(after)
        self.block = after

    def on_WhileStmt(self, node):
        condition, body = children(node)[-2:]
        self.loop(condition, body)

    def on_ForStmt(self, node):
        start, _, condition, step, body = children(node)
        self.statement(start)
        around = self.limits
        if kind(start) == "CallExpr" and callee_of(start) == "edo__limit_open":
            self.emit("limit", None, extra=node["id"])
            self.limits = around + (node["id"],)
        self.loop(condition, body, step)
        self.limits = around

    def loop(self, condition, body, step=None):
        self.forget_filled_arrays(body)
        head, again, after = self.new_block(self.block), self.new_block(), self.new_block()
        self.block = head
        when_true, when_false = self.condition(condition) if condition else (head, None)
        if when_false:
            when_false.next.append(after)
        self.block = when_true
        self.loop_body(body, again, after)
        self.block.next.append(again)
        self.block = again
        if step:
            self.value(step)
        self.block.next.append(head)
        self.block = after

    def on_DoStmt(self, node):
        body, condition = children(node)
        head, test, after = self.new_block(self.block), self.new_block(), self.new_block()
        self.block = head
        self.loop_body(body, test, after)
        self.block.next.append(test)
        self.block = test
        when_true, when_false = self.condition(condition)
        when_true.next.append(head)
        when_false.next.append(after)
        self.block = after

    def loop_body(self, body, again, after):
        self.continues.append(again)
        self.breaks.append(after)
        self.statement(body)
        self.continues.pop()
        self.breaks.pop()

    def forget_filled_arrays(self, body):
        """A loop that assigns an array's elements fills it: the way around the loop is no use."""
        for node in walk(body):
            if node.get("opcode") == "=":
                left = strip_parens(children(node)[0])
                base = strip(children(left)[0]) if kind(left) == "ArraySubscriptExpr" else {}
                identity = base.get("referencedDecl", {}).get("id")
                if identity in self.locals and self.locals[identity].type.endswith("]"):
                    self.emit("fill", identity)

    def on_SwitchStmt(self, node):
        subject, body = children(node)[-2:]
        self.value(subject)
        head, after = self.block, self.new_block()
        self.switches.append({"head": head, "default": False})
        self.breaks.append(after)
        self.block = self.new_block()   # reached through the cases only
        self.statement(body)
        self.block.next.append(after)
        self.breaks.pop()
        if not self.switches.pop()["default"]:
            head.next.append(after)
        self.block = after

    def on_CaseStmt(self, node):
        self.block = self.new_block(self.block, self.switches[-1]["head"])
        self.statement(children(node)[-1])

    def on_DefaultStmt(self, node):
        self.switches[-1]["default"] = True
        self.on_CaseStmt(node)

    def on_GCCAsmStmt(self, node):
        for child in children(node):
            self.value(child)
            if child.get("valueCategory") == "lvalue":
                self.store(self.target(child), [], child)

    # conditions: the blocks to go on in

    def condition(self, node):
        node = strip_parens(node)
        opcode = node.get("opcode")
        if opcode == "!":
            when_true, when_false = self.condition(children(node)[0])
            return when_false, when_true
        if opcode in ("&&", "||"):
            return self.short_circuit(node, opcode == "&&")
        known = constant(node)
        self.value(node)
        when_true, when_false = self.new_block(), self.new_block()
        self.block.next += [block for block, ruled_out in ((when_true, known == 0),
                                                           (when_false, known not in (None, 0)))
                            if not ruled_out]
        return when_true, when_false

    def short_circuit(self, node, is_and):
        left, right = children(node)
        left_true, left_false = self.condition(left)
        self.block, decided = (left_true, left_false) if is_and else (left_false, left_true)
        right_true, right_false = self.condition(right)
        decided.next.append(right_false if is_and else right_true)
        return right_true, right_false

    def join(self, *blocks):
        self.block = self.new_block(*blocks)
