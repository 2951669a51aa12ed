"""Rules, findings, and the remarks that silence them."""
import re
from collections import namedtuple

from edo_lint.tree import Place

Finding = namedtuple("Finding", "place rule message notes")

RULES = {
    "edo-before-body": "a local declared before edo_body and used in it",
    "edo-kept-local": "a local assigned before an await and read after it",
    "edo-local-address": "the address of a local that is kept across an await, or by a task",
    "edo-temporary-address": "the same for a compound literal or a local of a statement expression",
    "edo-cleanup": "a local with __attribute__((cleanup))",
    "edo-vla": "a local whose type has a variable length",
    "edo-alloca": "a call of alloca",
    "edo-return": "a return written by hand instead of edo_return",
    "edo-unused": "an operation or a spawn whose result nobody uses",
    "edo-frame-lent": "a pointer into the own frame, given to a detached task or a thread",
    "edo-narrowed": "a byte count in a type that does not hold all of them",
    "edo-within-goto": "a goto out of a block of edo_within, to awaits that its limit then ends",
    "edo-args-name": "a member that hides the type of its name, which clang refuses",
    "edo-allow": "a silencing remark without a reason, or for a rule that does not exist",
}

ALLOW = re.compile(r"//\s*edo-lint:\s*allow\(([^)]*)\)[ \t]*(.*)")


class Remarks:
    """The silencing remarks of one file."""

    def __init__(self, path):
        self.allowed, self.wrong = {}, []
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                for number, line in enumerate(file, 1):
                    self.read(Place(path, number, 0), line)
        except OSError:
            pass                        # <built-in> and the like

    def read(self, place, line):
        match = ALLOW.search(line)
        if not match:
            return
        rules = re.split(r"[\s,]+", match[1].strip())
        place = place._replace(column=match.start() + 1)
        for rule in rules:
            if rule not in RULES:
                self.wrong.append(Finding(place, "edo-allow", f"there is no rule '{rule}'", ()))
        if not match[2]:
            self.wrong.append(Finding(place, "edo-allow", "allow() needs a reason after it", ()))
        else:
            self.allowed.setdefault(place.line, set()).update(rules)

    def silence(self, finding):
        line = finding.place.line
        return any(finding.rule in self.allowed.get(n, ()) for n in (line, line - 1))


def without_silenced(path, findings):
    remarks = {path: Remarks(path)}
    for finding in findings:
        if finding.place.file not in remarks:
            remarks[finding.place.file] = Remarks(finding.place.file)
    kept = [finding for finding in findings if not remarks[finding.place.file].silence(finding)]
    return kept + remarks[path].wrong
