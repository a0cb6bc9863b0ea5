"""What the documentation says of the comparison: the explained differences, and the tables that are made from a run."""

import re

BEGIN, END = "<!-- made by tests/compare/run --write -->", "<!-- end -->"


def explained(text):
    """The headings below `## Differences`: the names that cases use."""
    part = text.split("\n## Differences\n", 1)[-1]
    return set(re.findall(r"^### (\S+)$", part, re.M))


def table(rows):
    """A line for each function: its cases, how many are equal, which differences the others show."""
    functions = {}
    for case, different in rows:
        functions.setdefault(case["function"], []).append((case, different))
    lines = ["| function | cases | equal | differences |", "|---|---|---|---|"]
    for function, seen in sorted(functions.items()):
        listed = sorted({name for case, _ in seen for name in case["differs"]})
        links = ", ".join(f"[{name}](#{name})" for name in listed)
        lines.append(f"| `{function}` | {len(seen)} | {sum(not different for _, different in seen)} | {links} |")
    return "\n".join(lines)


def summary(rows):
    """The figures in a sentence."""
    functions = {case["function"] for case, _ in rows}
    differing = {case["function"] for case, different in rows if different}
    equal = sum(not different for _, different in rows)
    return (
        f"{len(rows)} cases of {len(functions)} functions: {equal} cases are equal in everything, {len(rows) - equal} show a listed difference; "
        f"{len(functions - differing)} functions are equal in all their cases, {len(differing)} in some or none."
    )


def with_table(text, rows):
    """The page with the figures and the table of a run."""
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    return f"{head}{BEGIN}\n\n{summary(rows)}\n\n{table(rows)}\n\n{END}{tail}"
