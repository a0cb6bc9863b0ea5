"""Runs in the machine that is thrown away: makes the start, applies three times, writes down what was said and what is there.

The words are those of `/srv/compare/order.json`, the answer is `/srv/compare/answer.json`.
"""

import grp
import hashlib
import json
import os
import pathlib
import pwd
import stat
import subprocess
import sys

BASE = pathlib.Path("/srv/compare")
LIMIT = 60
# What programs keep for themselves below a directory is not what was asked of them.
HIDDEN = {".git", "__pycache__"}


def run(command, directory=None, limit=LIMIT):
    """Runs a command; its status and its output, both streams."""
    try:
        done = subprocess.run(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return 124, f"no end after {limit} s"
    return done.returncode, done.stdout.decode(errors="replace")


def entry(path):
    """One line, and what a file has in it."""
    seen = path.lstat()
    def named(of, number):
        try:
            return of(number)[0]
        except KeyError:
            return str(number)

    owner = f"{named(pwd.getpwuid, seen.st_uid)}:{named(grp.getgrgid, seen.st_gid)}"
    head = f"{stat.filemode(seen.st_mode)} {owner}"
    if path.is_symlink():
        return f"{head} -> {os.readlink(path)}"
    if not stat.S_ISREG(seen.st_mode):
        return head
    data = path.read_bytes()
    links = f" {seen.st_nlink} links" if seen.st_nlink > 1 else ""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or len(text) > 4000:
        text = "sha256 " + hashlib.sha256(data).hexdigest()
    return f"{head}{links}: {text!r}"


def tree(directory, hidden):
    """All that lies below a directory."""
    seen = {}
    for here, names, files in os.walk(directory):
        for name in sorted(names + files):
            path = pathlib.Path(here) / name
            inner = str(path.relative_to(directory))
            if name in HIDDEN or inner in hidden:
                continue
            seen[inner] = entry(path)
        names[:] = [n for n in names if n not in HIDDEN and str((pathlib.Path(here) / n).relative_to(directory)) not in hidden]
    return seen


def look(cases):
    """The state of the machine, as far as each case speaks of it."""
    seen = {}
    for case in cases:
        directory = BASE / case["key"]
        here = tree(directory, set(case["hide"]))
        if case["probe"]:
            here["probe"] = run(["sh", "-c", case["probe"]], directory)[1]
        seen[case["key"]] = here
    return seen


def main():
    order = json.loads((BASE / "order.json").read_text())
    for command in order["before"]:
        status, text = run(command)
        if status:
            sys.exit(f"{' '.join(command)}: {text}")
    for case in order["cases"]:
        directory = BASE / case["key"]
        directory.mkdir()
        if case["start"]:
            status, text = run(["sh", "-ec", case["start"]], directory, 120)
            if status:
                sys.exit(f"the start of {case['key']}: {text}")
    answer = {"looks": [look(order["cases"])], "outputs": []}
    for command in order["runs"]:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=1200)
        answer["outputs"].append([done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")])
        answer["looks"].append(look(order["cases"]))
    (BASE / "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
