"""clang's syntax tree, as it dumps it in JSON: nodes, places in the text, types."""
import json
import os
import re
from collections import namedtuple

Place = namedtuple("Place", "file line column")


class TreeReader:
    """Reads dumped declarations; fills in file and line, which clang leaves out where unchanged."""

    def __init__(self):
        self.file, self.line = "", 0

    def complete(self, node):
        if "offset" in node and "tokLen" in node:
            self.file = node.setdefault("file", self.file)
            self.line = node.setdefault("line", self.line)
        return node

    def read(self, text):
        decoder = json.JSONDecoder(object_hook=self.complete)
        position, trees = 0, []
        while position < len(text):
            tree, position = decoder.raw_decode(text, position)
            trees.append(tree)
            while position < len(text) and text[position].isspace():
                position += 1
        return trees


def kind(node):
    return node.get("kind", "")


def children(node):
    return node.get("inner", [])


def walk(node):
    yield node
    for child in children(node):
        yield from walk(child)


def spelled_in(node):
    """The file where the node's first token is written, for a macro the one that defines it."""
    begin = node.get("range", {}).get("begin", {})
    return begin.get("spellingLoc", begin).get("file", "")


def place_of(node):
    """Where the user wrote the node: in a macro's argument there, else where the macro is used."""
    where = node.get("loc") or node.get("range", {}).get("begin", {})
    if "expansionLoc" in where:
        from_argument = where["expansionLoc"].get("isMacroArgExpansion")
        written = where["spellingLoc"].get("file", "")
        usable = from_argument and not written.startswith("<") and not is_edo_header(written)
        where = where["spellingLoc"] if usable else where["expansionLoc"]
    return Place(where.get("file", ""), where.get("line", 0), where.get("col", 0))


def is_edo_header(path):
    return os.path.basename(os.path.dirname(path)) == "edo" and path.endswith(".h")


CASTS = {"ImplicitCastExpr", "CStyleCastExpr"}
LOADS = {"LValueToRValue", "ArrayToPointerDecay"}       # casts that read their operand, an lvalue


def strip(node):
    """Without parentheses and casts."""
    while kind(node) in CASTS or kind(node) in ("ParenExpr", "ConstantExpr"):
        node = children(node)[-1]
    return node


def strip_parens(node):
    while kind(node) == "ParenExpr" or node.get("opcode") == "__extension__":
        node = children(node)[0]
    return node


def constant(node):
    node = strip(node)
    return int(node["value"]) if kind(node) == "IntegerLiteral" else None


# ---- types, as clang writes them ----

ARITHMETIC = {"const", "volatile", "unsigned", "signed", "char", "short", "int", "long", "float",
              "double", "void", "_Bool", "bool", "__int128", "_Complex"}


def type_of(node):
    described = node.get("type", {})
    return described.get("desugaredQualType") or described.get("qualType", "")


def can_hold_address(text):
    return not (text.startswith("enum ") or set(text.split()) <= ARITHMETIC)


def is_record(text):
    return can_hold_address(text) and not re.search(r"[*\[(]", text)


def is_operation(text):
    """edo_op, edo_future, what a user names alike, pointers to them: they keep what they get."""
    return re.search(r"\b\w+_(op|future)\b", text) is not None


def points_to_const(text):
    text = re.sub(r"(\s*\b(const|volatile|restrict|__restrict))+$", "", text)
    if not text.endswith("*"):
        return False
    target = text[:-1].strip()
    return target.endswith("const") or (target.startswith("const ") and "*" not in target)


def is_variable_length(text):
    return any(not re.fullmatch(r"\d*", length) for length in re.findall(r"\[([^\]]*)\]", text))


def parameter_count(function_type):
    """Of 'int (const char *, ...)': commas at the depth of the last top-level parentheses."""
    depth, count = 0, 0
    for character in function_type[function_type.find("(") + 1:]:
        depth += {"(": 1, ")": -1}.get(character, 0)
        count += character == "," and depth == 0
        if depth < 0:
            break
    return count + 1
