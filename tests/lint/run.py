#!/usr/bin/env python3
"""Checks what tools/edo-lint says about one file, as the file's first lines say.

    // expect-lint: REGEX   the tool must fail, and its report must match; may be repeated
    // expect-lint: clean   the tool must accept the file

Ends with 0, 1, or 77 (skipped) where the tool is missing or cannot run here.
"""
import argparse
import os
import re
import subprocess
import sys

SKIPPED = 77
HEAD_LINES = 10


def expectations(path):
    with open(path, encoding="utf-8") as file:
        lines = [line for _, line in zip(range(HEAD_LINES), file)]
    found = [re.match(r"// expect-lint: *(.*?)\s*$", line) for line in lines]
    return [match[1] for match in found if match]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tool", required=True)
    parser.add_argument("--include", action="append", default=[])
    parser.add_argument("file")
    args = parser.parse_args()

    wanted = expectations(args.file)
    if not wanted:
        sys.exit(f"{args.file} has no expectation")
    if not os.access(args.tool, os.X_OK):
        print(f"there is no {args.tool}")
        return SKIPPED

    command = [args.tool, args.file, "--", *(f"-I{folder}" for folder in args.include)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode == SKIPPED:
        print(run.stdout + run.stderr)
        return SKIPPED
    report = run.stdout + run.stderr
    if wanted == ["clean"]:
        missing = [] if run.returncode == 0 else ["clean"]
    else:
        missing = [regex for regex in wanted if not re.search(regex, report)]
        if run.returncode == 0:
            missing.append("a status other than 0")
    if not missing:
        return 0
    print(" ".join(command))
    print("expected: " + "; ".join(missing))
    print(f"status {run.returncode}, report:\n{report}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
