"""Commands of gdb for programs that use edo: what its tasks do and await, in a live process or a
core file, with debug information of libedo (static or shared).

    gdb -x tools/gdb/edo.py PROGRAM [CORE]      or, in gdb:  source tools/gdb/edo.py

    edo runtimes         the runtimes of the process
    edo tasks [RUNTIME]  their tasks: id, state, function and what it awaits
    edo bt TASK          the async backtrace of a task, by its id or its address
    edo bt all           those of all tasks
    edo break FUNCTION [if CONDITION]
                         stops where an async function begins, by its own name
    edo next             as next, but over an await until it is over: in the same function

RUNTIME is an expression for an edo_runtime *, or a number of `edo runtimes`. Nothing is called in
the process, and nothing in it changes. It may have been stopped anywhere, so a task that runs may
show a frame half made; where its function is now, its thread shows: `thread find LWP`, then `bt`.
"""
import contextlib
import functools

import gdb
import gdb.unwinder

MAX_LINES = 10000  # of one backtrace; what is longer has been overwritten


@functools.lru_cache(maxsize=None)
def constant(name):
    """An enumerator of libedo's."""
    try:
        return int(gdb.parse_and_eval(name))
    except gdb.error:
        raise gdb.GdbError(f"no {name}: libedo has no debug information") from None


def symbol_value(name):
    symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    if symbol is None:
        raise gdb.GdbError(f"no {name}: is libedo in this program, and has it debug information?")
    return symbol.value()


def pointer_type(name):
    """Of a struct or a typedef."""
    for text in (name, "struct " + name):
        try:
            return gdb.lookup_type(text).pointer()
        except gdb.error:
            continue
    raise gdb.GdbError(f"no type {name}: libedo has no debug information")


def container(node, type_name, member):
    """The object of that type whose member is the node."""
    pointer = pointer_type(type_name)
    offset = next(field.bitpos // 8 for field in pointer.target().fields() if field.name == member)
    return (node.cast(gdb.lookup_type("char").pointer()) - offset).cast(pointer)


def each_node(head):
    """Of an intrusive circular list (src/base/list.h)."""
    node = head["next"]
    while node and node != head.address:
        following = node["next"]
        yield node
        node = following


def text_of(pointer):
    if not pointer:
        return "?"
    try:
        return pointer.string()
    except (gdb.error, UnicodeDecodeError):
        return "?"


class Worker:
    """A worker's, or that of a current-thread runtime (src/runtime/schedule/worker.h)."""

    def __init__(self, value):
        self.value = value
        self.index = int(value["index"])

    def polled(self):
        """The address of the task that it polls, or 0."""
        return int(self.value["cx"]["task"]) if int(self.value["beat"]) % 2 else 0

    def tasks(self):
        for node in each_node(self.value["shard"]["tasks"]):
            yield Task(container(node, "edo_task", "registry"))


class Runtime:
    def __init__(self, value):
        self.value = value

    @staticmethod
    def all():
        runtimes = symbol_value("edo__runtimes")
        return [Runtime(container(node, "edo_runtime", "all"))
                for node in each_node(runtimes["list"])]

    def workers(self):
        return [Worker(self.value["workers"][i]) for i in range(int(self.value["worker_total"]))]

    def tasks(self):
        for worker in self.workers():
            yield from worker.tasks()

    def running(self):
        """Workers by the addresses of the tasks that they poll."""
        return {worker.polled(): worker for worker in self.workers() if worker.polled()}

    def title(self):
        workers = int(self.value["base"]["worker_count"]) if self.value["has_threads"] else 0
        kind = f"{workers} workers" if workers else "current-thread"
        count = sum(1 for _ in self.tasks())
        return (f"'{text_of(self.value['config']['name'])}' on "
                f"{text_of(self.value['driver_ops']['name'])}, {kind}, {count} tasks "
                f"(edo_runtime *) {int(self.value):#x}")


class Task:
    def __init__(self, value):
        self.value = value
        self.address = int(value)
        self.id = int(value["id"])
        self.state = int(value["state"])

    def name(self):
        if int(self.value["head"]["flags"]) & constant("EDO__TASK_EXTRA"):
            extra = self.value.cast(pointer_type("edo__task_extra")) - 1
            if extra["name"]:
                return text_of(extra["name"])
        return text_of(self.value["site"]["ops"]["name"])

    def site(self):
        site = self.value["site"]
        return f"{text_of(site['function'])} at {text_of(site['file'])}:{int(site['line'])}"

    def has(self, *bits):
        """Any of those bits of the state word (src/task/state.h)."""
        return any(self.state & constant("EDO__" + bit) for bit in bits)

    def state_text(self, running):
        worker = running.get(self.address)
        if self.has("COMPLETE"):
            text = "has ended"
        elif worker:
            thread = int(worker.value["thread_id"])
            text = f"runs on worker {worker.index} (LWP {thread})"
        elif self.has("GIVEN_UP"):
            text = "was given up"
        elif self.has("NOTIFIED", "RUNNING"):  # kept ones have the second
            text = "is ready"
        else:
            text = "waits"
        if self.has("ABORTED"):
            return text + ", aborted"
        return text + ", cancelled" if self.has("CANCELLED") else text

    def frame(self):
        return (self.value + 1).cast(pointer_type("edo_future"))

    def lines(self):
        """(depth, text) for each frame and operation, outermost first."""
        if self.has("COMPLETE"):
            return
        for count, line in enumerate(lines_of(self.frame(), 0)):
            if count == MAX_LINES:
                yield 0, "..."
                return
            yield line

    def title(self, running):
        return (f"task '{self.name()}' #{self.id} {self.state_text(running)}, "
                f"spawned by {self.site()}")


def lines_of(future, depth):
    """As edo__trace_future() does it (src/task/future.c)."""
    pending = [(future, depth)]
    while pending:
        future, depth = pending.pop()
        try:
            text, children = describe(future)
        except gdb.MemoryError:
            yield depth, f"(no future at {int(future):#x})"
            continue
        if text:
            yield depth, text
        pending.extend((child, depth + 1) for child in reversed(children))


def describe(future):
    """A future's line, and what it waits for. Of one that is done: neither."""
    if int(future["state"]) == constant("EDO_DONE"):
        return None, []
    ops = future["ops"]
    name, where = text_of(ops["name"]), text_of(ops["file"])
    fiber = fiber_of(future)
    if fiber and fiber["file"]:
        where = text_of(fiber["file"])
    if int(ops["kind"]) != constant("EDO_KIND_ASYNC"):
        return name, []
    if int(future["line"]):
        where += f":{int(future['line'])}"
    head = future.cast(pointer_type("edo_any_frame"))["edo_head"]
    return f"{name} ({where})", siblings(head["awaiting"]) + siblings(head["kept"])


def fiber_of(future):
    """The edo__fiber of a frame that is one and has not ended, or None; also where its stack is missing,
    as in core files that gdb itself has written: it gives up at the guard."""
    poll = future["ops"]["poll"]
    if int(future["state"]) == constant("EDO_DONE") or "edo__fiber_poll" not in str(poll):
        return None
    fiber = future.cast(pointer_type("edo_fiber_frame"))["fiber"]
    try:
        return fiber if fiber and int(fiber["context"]) else None
    except gdb.MemoryError:
        return None


def siblings(first):
    found = []
    while first and len(found) < MAX_LINES:
        found.append(first)
        first = first["next"]
    return found


def runtimes_named(argument):
    """All, or the one that the argument says."""
    runtimes = Runtime.all()
    if not argument:
        return runtimes
    if argument.isdigit():
        number = int(argument)
        if not 1 <= number <= len(runtimes):
            raise gdb.GdbError(f"no runtime {number}: see `edo runtimes`")
        return [runtimes[number - 1]]
    return [Runtime(gdb.parse_and_eval(argument).cast(pointer_type("edo_runtime")))]


def find_task(argument):
    """By id, else by address: (runtime, task)."""
    number = int(gdb.parse_and_eval(argument))
    runtimes = Runtime.all()
    for matches in (lambda task: task.id == number, lambda task: task.address == number):
        for runtime in runtimes:
            for task in runtime.tasks():
                if matches(task):
                    return runtime, task
    raise gdb.GdbError(f"no task {argument}: see `edo tasks`")


# Where a context keeps the registers, from its stack pointer on (src/sys/linux/fiber_*.S): names,
# and the bytes of all.
CONTEXTS = {
    "x86-64": ({"r15": 8, "r14": 16, "r13": 24, "r12": 32, "rbx": 40, "rbp": 48, "rip": 56}, 64,
               "rsp"),
    "aarch64": ({f"x{number}": 8 * (number - 19) for number in range(19, 31)} | {"pc": 88}, 176,
                "sp"),
}


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """Has the innermost frame be called by a parked fiber, while `registers` are set: so that its
    stack is shown also from a core file, whose registers cannot be written."""

    def __init__(self):
        super().__init__("edo parked fiber")
        self.registers = None
        self.stack_pointer = None

    def __call__(self, pending):
        if self.registers is None or pending.level() != 0:
            return None
        number = gdb.lookup_type("unsigned long")
        # gdb refuses a caller that lies lower than what it has called; each lies above this.
        info = pending.create_unwind_info(FrameId(gdb.Value(1).cast(number),
                                                  gdb.Value(0).cast(number)))
        for name, value in self.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(number))
        return info

    def backtrace(self, fiber):
        """The functions of a parked fiber, as lines of gdb's own backtrace."""
        name = gdb.selected_frame().architecture().name()
        key = "x86-64" if "x86-64" in name else name
        if key not in CONTEXTS:
            return [f"(no stack: contexts of {name} are not known)"]
        places, size, self.stack_pointer = CONTEXTS[key]
        start = int(fiber["context"])
        memory = gdb.selected_inferior().read_memory(start, size)
        registers = {register: int.from_bytes(memory[at:at + 8], "little")
                     for register, at in places.items()}
        registers[self.stack_pointer] = start + size
        gdb.newest_frame().select()
        self.registers = registers
        gdb.invalidate_cached_frames()
        try:
            lines = gdb.execute("bt", to_string=True).splitlines()
        finally:
            self.registers = None
            gdb.invalidate_cached_frames()
        return [line for line in lines if not line.startswith("#0 ")]


PARKED = ParkedUnwinder()
gdb.unwinder.register_unwinder(None, PARKED, replace=True)


def write_backtrace(task, running):
    print(task.title(running))
    for depth, text in task.lines():
        print("  " * (depth + 1) + text)
    fiber = fiber_of(task.frame())
    if fiber and fiber["wait"] and task.address not in running:
        print("  stack:")
        for line in PARKED.backtrace(fiber):
            print("    " + line)


class EdoPrefix(gdb.Command):
    """The tasks of edo: runtimes, tasks, bt."""

    def __init__(self):
        super().__init__("edo", gdb.COMMAND_STACK, prefix=True)


class EdoRuntimes(gdb.Command):
    """The runtimes of the process: edo runtimes"""

    def __init__(self):
        super().__init__("edo runtimes", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for number, runtime in enumerate(Runtime.all(), 1):
            print(f"{number}: {runtime.title()}")


class EdoTasks(gdb.Command):
    """All tasks, with the last function and operation of each backtrace: edo tasks [RUNTIME]"""

    def __init__(self):
        super().__init__("edo tasks", gdb.COMMAND_STACK, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        for runtime in runtimes_named(argument.strip()):
            print(f"runtime {runtime.title()}")
            running = runtime.running()
            for task in runtime.tasks():
                end = " > ".join(text for _, text in list(task.lines())[-2:])
                print(f"  {task.title(running)}: {end}")


class EdoBacktrace(gdb.Command):
    """What a task awaits, all the way down: edo bt ID, edo bt ADDRESS, edo bt all"""

    def __init__(self):
        super().__init__("edo bt", gdb.COMMAND_STACK, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        argument = argument.strip()
        if not argument:
            raise gdb.GdbError("edo bt TASK: an id, an address, or all")
        if argument == "all":
            for runtime in Runtime.all():
                running = runtime.running()
                for task in runtime.tasks():
                    write_backtrace(task, running)
            return
        runtime, task = find_task(argument)
        write_backtrace(task, runtime.running())


BODY = "_async_body"  # edo_async() adds it to the function's name


class EdoBreak(gdb.Command):
    """Stops where an async function begins, not at each of its polls: edo break FUNCTION [if CONDITION]"""

    def __init__(self):
        super().__init__("edo break", gdb.COMMAND_BREAKPOINTS, gdb.COMPLETE_SYMBOL)

    def invoke(self, argument, from_tty):
        name, _, condition = argument.strip().partition(" if ")
        if not name:
            raise gdb.GdbError("edo break FUNCTION [if CONDITION]")
        function = name.strip() + BODY
        try:
            gdb.decode_line(function)
        except gdb.error:
            raise gdb.GdbError(f"no async function '{name.strip()}'") from None
        breakpoint = gdb.Breakpoint(function)
        begins = "self->edo_head.resume == 0"
        breakpoint.condition = f"{begins} && ({condition})" if condition else begins


def last_line(frame):
    block = frame.block()
    while block.function is None:
        block = block.superblock
    table = frame.function().symtab.linetable()
    return max(entry.line for entry in table if block.start <= entry.pc < block.end)


@contextlib.contextmanager
def quietly():
    """Stops on the way are not shown, where gdb can do that."""
    try:
        gdb.execute("set suppress-cli-notifications on")
        known = True
    except gdb.error:
        known = False
    try:
        yield
    finally:
        if known:
            gdb.execute("set suppress-cli-notifications off")


class Stepper:
    """One `edo next`: steps in a body, and where the body returns waits for its frame's next poll."""

    def __init__(self, frame):
        self.function = frame.name()
        self.address = int(frame.read_var("self"))
        self.passed = {frame.find_sal().line}
        self.last = last_line(frame)    # where it returns
        self.resume = None              # the breakpoint for the next poll
        self.stopped_by = None          # a breakpoint of the user's, a signal

    def on_stop(self, event):
        if isinstance(event, gdb.BreakpointEvent):
            self.stopped_by = next((b for b in event.breakpoints if b is not self.resume), None)
        elif isinstance(event, gdb.SignalEvent):
            self.stopped_by = event

    def is_inside(self):
        frame = gdb.newest_frame()
        return frame.name() == self.function and int(frame.read_var("self")) == self.address

    def has_arrived(self):
        """At another line than those of the await; or at the end, and not to wait."""
        frame = gdb.newest_frame()
        line = frame.find_sal().line
        if line == self.last:
            return not frame.read_var("self")["edo_head"]["awaiting"]
        return line not in self.passed

    def await_poll(self):
        self.resume = gdb.Breakpoint(self.function, internal=True, temporary=True)
        self.resume.silent = True
        self.resume.condition = f"(unsigned long)self == {self.address}"
        gdb.execute("continue", to_string=True)
        if self.resume.is_valid():
            self.resume.delete()        # something else has stopped it
        self.resume = None
        if self.is_inside():
            self.passed.add(gdb.newest_frame().find_sal().line)

    def run(self):
        gdb.events.stop.connect(self.on_stop)
        try:
            while not self.stopped_by:
                gdb.execute("next", to_string=True)
                if self.stopped_by:
                    break
                if not self.is_inside():
                    self.await_poll()
                elif self.has_arrived():
                    break
        finally:
            gdb.events.stop.disconnect(self.on_stop)


class EdoNext(gdb.Command):
    """As next, but over an await until it is over, and so in the same function: edo next"""

    def __init__(self):
        super().__init__("edo next", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        frame = gdb.selected_frame()
        if not (frame.name() or "").endswith(BODY):
            gdb.execute("next")
            return
        try:
            with quietly():
                Stepper(frame).run()
            gdb.execute("frame")
        except gdb.error as error:      # the process has ended, say
            raise gdb.GdbError(f"edo next: {error}") from None


for command in (EdoPrefix, EdoRuntimes, EdoTasks, EdoBacktrace, EdoBreak, EdoNext):
    command()
