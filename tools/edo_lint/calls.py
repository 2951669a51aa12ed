"""What is wrong with single calls and awaits: no flow is needed to see it."""
from edo_lint.report import Finding
from edo_lint.tree import (children, constant, is_edo_header, kind, place_of, spelled_in, strip,
                           strip_parens, type_of, walk)

SPAWNS = {"edo__spawn", "edo__spawn_on", "edo__scope_spawn", "edo__scope_spawn_member",
          "edo__scope_spawn_key", "edo__spawn_blocking"}
DETACHED = {"edo__spawn", "edo__spawn_on", "edo__spawn_blocking"}     # without a ret_task

# Operations whose result is a number of bytes or a position in a file, which an int may not hold,
# and the position of the argument that bounds the result. None: no argument does. Left out are
# operations whose result is always small: at most 1 GiB, or a datagram.
BYTE_COUNTS = {
    "edo_read": 2, "edo_read_exact": 2, "edo_readv": None, "edo_readv_exact": None,
    "edo_write": 2, "edo_write_all": 2, "edo_writev": None, "edo_writev_all": None,
    "edo_write_zero_copy": 2, "edo_write_chain": None,
    "edo_reader_read": 2, "edo_reader_read_exact": 2, "edo_writer_write": 2,
    "edo_read_until": 3, "edo_read_to_end": 2, "edo_read_text": 2,
    "edo_copy": None, "edo_tee": 2, "edo_send_file": None, "edo_copy_file": None,
    "edo_file_seek": None, "edo_file_readv_at": None, "edo_file_writev_at": None,
    "edo_file_read_whole": None, "edo_file_read_whole_at": None, "edo_path_copy": None,
}
WIDE = {"long", "long long", "unsigned long", "unsigned long long", "__int128", "double",
        "long double", "float"}


def callee_of(node):
    return strip(children(node)[0]).get("referencedDecl", {}).get("name", "")


def finding(node, rule, message):
    return Finding(place_of(node), rule, message, ())


# ---- results that nobody reads ----

def unused(node):
    """An operation or a spawn as a statement of its own; node is a compound statement."""
    for child in children(node):
        if kind(child) != "CallExpr":
            continue
        if type_of(child) in ("edo_op", "struct edo_op"):
            yield finding(child, "edo-unused", f"the operation of {callee_of(child)} is built and "
                          "not awaited: it does nothing")
        elif callee_of(child) in SPAWNS:
            yield finding(child, "edo-unused", "the result of a spawn is not checked: on failure "
                          "nothing was started, and the arguments are still yours")


# ---- the own frame, lent to what may outlive it ----

def lent(node):
    """node is a call."""
    callee = callee_of(node)
    arguments = children(node)[1:]
    if callee in DETACHED and constant(arguments[0]) == 0:
        keeper = "a detached task"
    elif callee == "pthread_create":
        keeper = "a thread"
    else:
        return
    for argument in arguments[1:]:
        for value in given_values(argument):
            if points_into_frame(value):
                yield finding(value, "edo-frame-lent", f"a pointer into this function's frame goes "
                              f"to {keeper}, which may outlive it; join what uses it, or put it "
                              "on the heap")


def given_values(argument):
    """An argument, or the members of the compound literal that it is the address of."""
    literals = [part for part in walk(argument) if kind(part) == "InitListExpr"]
    return children(literals[0]) if literals else [argument]


def points_into_frame(node):
    decays = False
    while kind(node) in ("ImplicitCastExpr", "CStyleCastExpr", "ParenExpr"):
        decays = decays or node.get("castKind") == "ArrayToPointerDecay"
        node = children(node)[-1]
    if kind(node) == "DeclRefExpr":
        return not decays and is_self(node)
    if kind(node) == "UnaryOperator" and node["opcode"] == "&":
        return in_frame(children(node)[0])
    return decays and in_frame(node)


def is_self(node):
    return node.get("referencedDecl", {}).get("name") == "self"


def in_frame(node):
    """Whether an lvalue is a member of *self, reached without another pointer."""
    node = strip_parens(node)
    if kind(node) == "ArraySubscriptExpr":
        inner = children(node)[0]
        return inner.get("castKind") == "ArrayToPointerDecay" and in_frame(children(inner)[-1])
    if kind(node) != "MemberExpr":
        return False
    base = children(node)[0]
    return is_self(strip(base)) if node.get("isArrow") else in_frame(base)


# ---- byte counts ----

def narrowed(node):
    """node is the loop that an await's macro makes."""
    if not is_edo_header(spelled_in(node)):
        return
    assigned = [part for part in walk(node) if kind(part) == "BinaryOperator" and
                part.get("opcode") == "="]
    call = next((strip(children(part)[1]) for part in assigned if is_slot(children(part)[0])), {})
    if kind(call) != "CallExpr" or callee_of(call) not in BYTE_COUNTS or fits(call):
        return
    for part in assigned:
        left, right = children(part)
        if is_result(strip(right)) and not is_wide(type_of(left)):
            yield finding(part, "edo-narrowed", f"the byte count of {callee_of(call)} goes into "
                          f"'{type_of(left)}'; use int64_t")


def is_result(node):
    """Whether a value is the result of an await, or the copy of it that edo_try() makes."""
    return node.get("name") == "result" or \
        node.get("referencedDecl", {}).get("name") == "edo_tried_"


def is_slot(node):
    return kind(node) == "MemberExpr" and node.get("name") == "op" and \
        children(node)[0].get("name") == "edo_slot"


def fits(call):
    position = BYTE_COUNTS[callee_of(call)]
    return position is not None and is_small(children(call)[1 + position])


def is_small(node):
    """A constant that is seen to be one: sizes of buffers are taken to be small."""
    node = strip(node)
    if kind(node) == "BinaryOperator":
        return all(is_small(child) for child in children(node))
    if kind(node) == "DeclRefExpr":
        return node["referencedDecl"].get("kind") == "EnumConstantDecl"
    return kind(node) in ("UnaryExprOrTypeTraitExpr", "IntegerLiteral", "CharacterLiteral")


def is_wide(text):
    return text.replace("const ", "").replace("volatile ", "") in WIDE
