"""Data flow: what each local holds at each point of a body, and what is wrong with that."""
import re

from edo_lint.model import Held
from edo_lint.report import Finding
from edo_lint.tree import is_record

VALID = "valid"                         # a value that no await has taken

# Calls that set a record anew, whatever it was.
OVERWRITERS = {"memset", "memcpy", "memmove", "bzero", "__builtin_memset", "__builtin_memcpy",
               "__builtin_memmove"}
STARTS_ANEW = re.compile(r"(^|_)(init|reset|clear|set)")


class State:
    """Where each local's value was lost, whose address it holds; which addresses lie elsewhere."""

    def __init__(self):
        self.values = {}                # (local, field): {VALID or the place of the await}
        self.holds = {}                 # local: {Held}
        self.escaped = frozenset()      # {(Held, path of where it lies, if known)}
        self.handed = {}                # record: {(callee, "first" | "later", "here" | "before")}

    def copy(self):
        other = State()
        other.values, other.holds = dict(self.values), dict(self.holds)
        other.escaped, other.handed = self.escaped, dict(self.handed)
        return other

    def value(self, local, field):
        return self.values.get((local, field), self.values.get((local, ""), frozenset()))

    def merge(self, other):
        """Adds what may hold as well; tells whether that was new."""
        before = (self.values, self.holds, self.escaped, self.handed)
        keys = self.values.keys() | other.values.keys()
        self.values = {key: self.value(*key) | other.value(*key) for key in keys}
        self.holds = union(self.holds, other.holds)
        self.handed = union(self.handed, other.handed)
        self.escaped = self.escaped | other.escaped
        return before != (self.values, self.holds, self.escaped, self.handed)

    def set_value(self, local, field):
        if not field:
            self.forget(local)
        self.values[local, field] = frozenset([VALID])

    def forget(self, local):
        for key in [key for key in self.values if key[0] == local]:
            del self.values[key]


def union(one, two):
    empty = frozenset()
    return {key: one.get(key, empty) | two.get(key, empty) for key in one.keys() | two.keys()}


class Flow:
    """Runs the events of a body to a fixed point, then once more to report."""

    def __init__(self, graph, ignored):
        self.graph, self.locals = graph, graph.locals
        self.ignored = ignored          # locals that another rule has reported
        self.findings, self.reporting = {}, False

    def run(self):
        entry = {self.graph.entry: State()}
        work = [self.graph.entry]
        while work:
            block = work.pop()
            state = self.through(block, entry[block])
            for other in block.next:
                if other not in entry:
                    entry[other] = state.copy()
                elif not entry[other].merge(state):
                    continue
                work.append(other)
        self.reporting = True
        for block, state in entry.items():
            self.through(block, state)
        return list(self.findings.values())

    def through(self, block, state):
        state = state.copy()
        for event in block.events:
            getattr(self, "on_" + event.kind)(state, event)
        return state

    def report(self, rule, local, place, message, notes=()):
        """The first place of each local and rule is enough."""
        if not self.reporting or local in self.ignored:
            return
        known = self.findings.get((rule, local))
        if known is None or place < known.place:
            self.findings[rule, local] = Finding(place, rule, message, tuple(notes))

    # addresses

    def objects(self, state, sources):
        """Whose address a value may hold: {Held}."""
        found = set()
        for source in sources:
            if source.kind == "address":
                found.add(Held(source.local, source.place, source.sure))
            else:
                found |= {item._replace(sure=item.sure and source.sure)
                          for item in state.holds.get(source.local, ())}
        return found

    def reachable(self, state, objects):
        """The objects, and those whose addresses they hold."""
        found, work = set(), list(objects)
        while work:
            item = work.pop()
            if item not in found:
                found.add(item)
                work += [inner._replace(sure=inner.sure and item.sure)
                         for inner in state.holds.get(item.local, ())]
        return found

    def kept(self, objects, unsure=False):
        return [item for item in objects
                if not self.locals[item.local].trusted and (item.sure or unsure)]

    def report_address(self, local, place, end, notes=()):
        described = self.locals[local]
        what = f"the address of local '{described.name}'"
        if not described.name:
            what = "the address of a compound literal"
        rule = "edo-temporary-address" if described.temporary else "edo-local-address"
        self.report(rule, local, place, f"{what} {end}; put it in the frame", notes)

    # events

    def on_declare(self, state, event):
        state.forget(event.local)
        state.holds.pop(event.local, None)
        state.handed.pop(event.local, None)

    def on_assign(self, state, event):
        state.set_value(event.local, event.field)
        held = frozenset(self.objects(state, event.sources))
        if event.field:
            held |= state.holds.get(event.local, frozenset())
        else:
            state.handed.pop(event.local, None)
        state.holds[event.local] = held

    def on_weak(self, state, event):
        self.on_fill(state, event)
        held = frozenset(self.objects(state, event.sources))
        state.holds[event.local] = state.holds.get(event.local, frozenset()) | held

    def on_fill(self, state, event):
        state.set_value(event.local, event.field)

    def on_use(self, state, event):
        lost = [place for place in self.read(state, event) if place != VALID]
        if lost:
            name = self.locals[event.local].name
            self.report("edo-kept-local", event.local, event.place,
                        f"local '{name}' is kept across an await; put it in the frame",
                        [(min(lost), "its value is lost here")])

    def read(self, state, event):
        if event.field:
            return state.value(event.local, event.field)
        fields = [state.values[key] for key in state.values if key[0] == event.local and key[1]]
        if any(VALID in value and len(value) == 1 for value in fields):
            fields = [value for value in fields if VALID not in value]
            return frozenset().union(*fields)       # set member by member: only those that were not
        return state.value(event.local, "").union(*fields)

    def on_suspend(self, state, event):
        for key, value in state.values.items():
            if VALID in value:
                state.values[key] = value - {VALID} | {event.place}
        for local, calls in state.handed.items():
            state.handed[local] = frozenset((callee, rank, "before") for callee, rank, _ in calls)
        for item, _ in state.escaped:
            self.report_address(item.local, item.place, "is kept across an await",
                                [(event.place, "the await is here")])

    def on_escape(self, state, event):
        """A store through a pointer: into a local that it points to, else out of sight."""
        path, base, to_operation = event.extra
        held = self.objects(state, event.sources)
        inside = self.objects(state, base)
        for item in inside:
            state.holds[item.local] = state.holds.get(item.local, frozenset()) | held
        if inside:
            return
        escaped = {(item, where) for item, where in state.escaped
                   if path is None or where is None or where[:len(path)] != path}
        kept = self.kept(self.reachable(state, held), unsure=to_operation)
        state.escaped = frozenset(escaped | {(item, path) for item in kept})

    def on_spawn(self, state, event):
        """A task copies its arguments: what those point to must outlive it."""
        direct = self.objects(state, event.sources)
        for item in self.kept(self.reachable(state, direct) - direct):
            self.report_address(item.local, item.place, "is handed to a task, which outlives it")

    def on_limit(self, state, event):
        """Of no effect on locals, as is a shield: see limits.py."""

    on_shield = on_limit

    def on_hand(self, state, event):
        """An address given to a call that may write: an output, unless the object has a life."""
        callee, result = event.extra
        calls = state.handed.get(event.local, frozenset())
        whole = is_record(self.locals[event.local].type) and not event.field
        if whole and callee not in OVERWRITERS:
            if self.continues_a_life(calls, callee, result):
                self.report_address(event.local, event.place,
                                    "is handed to calls before and after an await")
            if (callee, "first", "before") in calls:
                calls = frozenset()
            first = not calls or (callee, "first", "here") in calls
            state.handed[event.local] = calls | {(callee, "first" if first else "later", "here")}
        self.on_fill(state, event)

    @staticmethod
    def continues_a_life(calls, callee, result):
        before = {(name, rank) for name, rank, when in calls if when == "before"}
        if not before or any(when == "here" for _, _, when in calls):
            return False
        if STARTS_ANEW.search(callee) or (callee, "first") in before:
            return False
        return (callee, "later") in before or result == "void"
