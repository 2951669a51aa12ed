#!/usr/bin/env python3
"""Checks that a compiler refuses (or accepts) one file, as the file's first lines say.

    // expect-gcc: REGEX     gcc must fail, and its messages must match
    // expect-clang: REGEX   the same for clang
    // expect-clang: warning: REGEX   a warning will do: that of a pragma, which -Werror leaves alone
    // expect: ok            every compiler must accept the file without a word
    // flags-gcc: FLAGS      more flags (flags-clang likewise)
    // levels-gcc: -O2       only at these levels of optimisation; else at -O0 and -O2

Ends with 0, 1, or 77 (skipped) where the compiler is missing.
"""
import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys

SKIPPED = 77
HEAD_LINES = 10
LEVELS = "-O0 -O2"
FLAGS = [ "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", "-pthread"]
COMPILERS = {"gcc": "g++", "clang": "clang++"}


def directives(path):
    """The `// NAME: VALUE` lines at the top of the file."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for _, line in zip(range(HEAD_LINES), file):
            match = re.match(r"// ([a-z-]+): *(.*?)\s*$", line)
            if match:
                found[match[1]] = match[2]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compiler", choices=COMPILERS, required=True)
    parser.add_argument("--include", action="append", default=[])
    parser.add_argument("file")
    args = parser.parse_args()

    head = directives(args.file)
    wanted = head.get(f"expect-{args.compiler}")
    if wanted is None and head.get("expect") != "ok":
        sys.exit(f"{args.file} has no expectation for {args.compiler}")
    cxx = args.file.endswith(".cpp")
    compiler = COMPILERS[args.compiler] if cxx else args.compiler
    if not shutil.which(compiler):
        print(f"there is no {compiler}")
        return SKIPPED

    start = [compiler, "-std=c++17" if cxx else "-std=gnu11", *FLAGS,
             *shlex.split(head.get(f"flags-{args.compiler}", "")),
             *(f"-I{folder}" for folder in args.include)]
    levels = head.get(f"levels-{args.compiler}", LEVELS).split()
    return max(judge([*start, level, "-c", "-o", "/dev/null", args.file], wanted)
               for level in levels)


def judge(command, wanted):
    """Runs it. wanted: a pattern for what it must say, or None for success in silence."""
    run = subprocess.run(command, capture_output=True, text=True,
                         env=dict(os.environ, LC_ALL="C"))
    if wanted is None:
        passed = run.returncode == 0 and not run.stderr
    else:
        refused = run.returncode != 0 or wanted.startswith("warning: ")
        passed = refused and re.search(wanted, run.stderr)
    if passed:
        return 0
    print(shlex.join(command))
    print(f"expected: {'silence' if wanted is None else wanted}")
    print(f"status {run.returncode}, messages:\n{run.stderr}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
