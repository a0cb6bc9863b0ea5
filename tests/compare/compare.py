"""Compares zester with Salt: the same states from the same start, once as a test run, then twice for good.

Each program gets a machine of its own: a layer over this one that is mounted for it and gone afterwards, with processes, network and
host name of its own. A case of `cases/*.yaml` has a state, what is there before it, and what is looked at after it. Compared are the
verdicts of the three runs (failed, would change, changed, unchanged) and what is looked at after each of them. A difference must be
explained in `docs/salt-comparison.md` under the heading that the case names, and it must still be there: otherwise the exit status is 1.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

import yaml

import report
from machine import Machine, base_layer

HERE = pathlib.Path(__file__).resolve().parent
RUNS = ("test run", "first run", "second run")
PARTS = ("test run", "first run", "second run", "after the test run", "after the first run", "after the second run")
KEYS = {"function", "case", "start", "state", "states", "probe", "hide", "differs"}


def read_cases(words):
    """The cases of all tables, those that the words choose."""
    cases, keys = [], set()
    for path in sorted((HERE / "cases").glob("*.yaml")):
        for case in yaml.safe_load(path.read_text()):
            unknown = set(case) - KEYS
            if unknown:
                sys.exit(f"{path.name}: {case.get('function')}: there is no {', '.join(sorted(unknown))} in a case")
            case["name"] = " ".join([case["function"], str(case.get("case", ""))]).strip()
            case["key"] = re.sub(r"[^a-z0-9]+", "-", case["name"].lower())
            if case["key"] in keys:
                sys.exit(f"{path.name}: there are two cases `{case['name']}`")
            keys.add(case["key"])
            for key in ("start", "probe"):
                case[key] = spelled(case, case.get(key, ""))
            case.setdefault("hide", [])
            case.setdefault("differs", {})
            cases.append(case)
    return [c for c in cases if not words or any(word in c["name"] for word in words)]


def spelled(case, text):
    """A text of a case with its directory and its name in it."""
    return re.sub(r"\bCASE\b", case["key"], re.sub(r"\bHERE\b", f"/srv/compare/{case['key']}", text))


def text_of(case):
    """The state file of a case, the same for both."""
    text = case.get("states")
    if text is None:
        body = case["state"] if case["state"].strip() else "[]"
        text = f"CASE:\n  {case['function']}:" + "".join(f"\n    {line}" if line else "\n" for line in body.rstrip().split("\n"))
    return spelled(case, text) + "\n"


def write_tree(directory, cases, ending):
    """The files that states ask for, a file for each case, and one that includes them all."""
    subprocess.run(["cp", "-r", str(HERE / "tree"), str(directory)], check=True)
    for case in cases:
        (directory / f"{case['key']}.{ending}").write_text(text_of(case))
    (directory / f"all.{ending}").write_text("include:\n" + "".join(f"  - {case['key']}\n" for case in cases))


class Salt:
    """Salt as its users run it on one machine."""

    name = "salt"

    def __init__(self, program):
        self.program = str(program)

    def prepare(self, base, cases):
        (base / "conf").mkdir()
        (base / "conf" / "minion").write_text(
            "file_client: local\nid: compare\nfile_roots:\n  base: [/srv/compare/tree]\n"
            "log_level: error\nlog_level_logfile: quiet\nenable_fqdns_grains: false\n"
        )
        write_tree(base / "tree", cases, "sls")
        command = [self.program, "--local", "-c", "/srv/compare/conf", "--out", "json", "state.apply", "all"]
        return [command + ["test=True"], command, command]

    def verdicts(self, text, test):
        """The verdicts by id, function and name, each with comment and changes."""
        states = json.loads(text)["local"]
        if not isinstance(states, dict):
            raise ValueError("; ".join(map(str, states)))
        found = {}
        for key, state in states.items():
            module, identifier, name, function = key.split("_|-")
            if state["result"] is False:
                verdict = "failed"
            elif state["result"] is None or test and state["changes"]:
                verdict = "would change"
            else:
                verdict = "changed" if state["changes"] else "unchanged"
            found[identifier, f"{module}.{function}", name] = (verdict, state["comment"], state["changes"])
        return found


class Zester:
    """zester, with the same arguments."""

    name = "zester"
    words = {"would_change": "would change", "changed": "changed", "unchanged": "unchanged", "failed": "failed"}

    def __init__(self, program):
        self.program = str(program)

    def prepare(self, base, cases):
        (base / "project").mkdir()
        (base / "project" / "zester.yaml").write_text("{}\n")
        write_tree(base / "project" / "states", cases, "zy")
        command = [self.program, "apply", "all", "-C", "/srv/compare/project", "--id", "compare", "--output", "json", "--no-progress"]
        return [command + ["--test"], command, command]

    def verdicts(self, text, test):
        found = {}
        (peel,) = json.loads(text)["peels"].values()
        for state in peel["states"]:
            verdict = self.words.get(state["result"])
            if verdict is None:
                # Salt has no word for what is left out: a guard makes it succeed, a requisite that failed makes it fail.
                verdict = "failed" if state["skip_reason"] == "require_failed" else "unchanged"
            found[state["id"], state["function"], state["name"]] = (verdict, state["comment"], state["changes"])
        return found


def play(program, cases, base, options):
    """Lets a program apply all cases on its own machine; what it said and what was seen, by case."""
    with Machine(program.name, base, options.root) as machine:
        directory = machine.path("/srv/compare")
        directory.mkdir(parents=True)
        order = {"cases": cases, "runs": program.prepare(directory, cases), "before": Machine.INSIDE}
        (directory / "order.json").write_text(json.dumps(order))
        for name in ("inside.py", "package.sh", "repository.sh", "service.sh", "wheel.sh"):
            (directory / name).write_text((HERE / name).read_text())
        status, text = machine.run([sys.executable, "-B", "/srv/compare/inside.py"])
        if status:
            sys.exit(f"{program.name}: {text}")
        answer = json.loads((directory / "answer.json").read_text())
    seen = {case["key"]: {"start": answer["looks"][0][case["key"]]} for case in cases}
    for run, (out, err), look in zip(RUNS, answer["outputs"], answer["looks"][1:]):
        try:
            verdicts = program.verdicts(out, run == RUNS[0])
        except (ValueError, KeyError) as error:
            sys.exit(f"{program.name}, {run}: {error}\n{out[-4000:]}\n{err[-4000:]}")
        for case in cases:
            # A state that a program did not even name is not equal to anything.
            own = sorted((key, said) for key, said in verdicts.items() if key[0].split("/")[0] == case["key"])
            if not own:
                sys.exit(f"{program.name}, {run}: nothing was said of {case['name']}")
            seen[case["key"]][run] = [said[0] for _, said in own]
            seen[case["key"]][f"words of {run}"] = [(f"{key[1]} {key[2]}", *said) for key, said in own]
            seen[case["key"]][f"after the {run}"] = look[case["key"]]
    return seen


def shown(look):
    return "".join(f"      {path}: {text.rstrip() if path == 'probe' else text}\n" for path, text in sorted(look.items()))


def tell(part, salt, zester):
    """Both sides of a difference."""
    if part.startswith("after"):
        paths = [p for p in salt[part].keys() | zester[part].keys() if salt[part].get(p) != zester[part].get(p)]
        for side, seen in (("salt", salt), ("zester", zester)):
            print(f"    {part}, {side}:\n" + shown({p: seen[part].get(p, "is not there") for p in paths}), end="")
        return
    for side, seen in (("salt", salt), ("zester", zester)):
        print(f"    {part}, {side}: {', '.join(seen[part]) or 'nothing'}")
        for what, _, comment, changes in seen[f"words of {part}"]:
            print(f"      {what}: {comment} {json.dumps(changes)[:600]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only cases whose names have one of these words")
    parser.add_argument("--salt", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--zester", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--root", required=True, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="show what both said and left")
    parser.add_argument("--write", action="store_true", help="write the table of the documentation")
    options = parser.parse_args()
    cases = read_cases(options.words)
    if not cases:
        sys.exit("no case has such a name")
    page = options.root / "docs" / "salt-comparison.md"
    unknown = {name for case in cases for name in case["differs"]} - report.explained(page.read_text())
    if unknown:
        sys.exit(f"{page}: no heading explains {', '.join(sorted(unknown))}")
    base = base_layer(options.root)
    seen = [play(program, cases, base, options) for program in (Salt(options.salt), Zester(options.zester.resolve()))]

    wrong, rows = 0, []
    for case in cases:
        salt, zester = (s[case["key"]] for s in seen)
        if salt["start"] != zester["start"]:
            print(f"{case['name']}: the start is not the same:\n{shown(salt['start'])}{shown(zester['start'])}")
            wrong += 1
        different = [part for part in PARTS if salt[part] != zester[part]]
        listed = {part: name for name, parts in case["differs"].items() for part in parts}
        bad = sorted(set(different) ^ set(listed), key=PARTS.index)
        outcome = "equal" if not different else ", ".join(sorted(case["differs"]))
        if bad:
            wrong += 1
            new, gone = ([part for part in bad if (part in different) == there] for there in (True, False))
            outcome = "; ".join(f"{word}: {', '.join(parts)}" for word, parts in (("NOT LISTED", new), ("NO LONGER THERE", gone)) if parts)
        print(f"{case['name']:44} {' / '.join(', '.join(salt[run]) for run in RUNS):50} {outcome}")
        rows.append((case, different))
        for part in PARTS if options.verbose else bad:
            tell(part, salt, zester)

    print(f"\n{report.summary(rows)}")
    if wrong:
        print(f"{wrong} cases are not as they should be: what is wrong with them stands above")
    elif not options.words:
        text = report.with_table(page.read_text(), rows)
        if options.write:
            page.write_text(text)
        elif text != page.read_text():
            sys.exit(f"the table in {page.relative_to(options.root)} is not that of this run; `tests/compare/run --write` makes it")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
