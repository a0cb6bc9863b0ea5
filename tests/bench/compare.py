"""Times zester against its peers on this machine, in one run, and prints what it saw.

Every figure is the median of several runs of a whole process, start-up included. Nothing is asserted: a
number is a fact about one machine on one day. Rounds of the programs alternate, so that a slow minute of a
shared machine hits all of them.
"""

import argparse
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from tree import write_tree

CONTENT = "managed by the benchmark\nline two of file {i}\n"


def run(command, **kwargs):
    """Runs a command, returns its wall time in seconds and its exit status."""
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kwargs)
    return time.perf_counter() - started, done


def measured(command):
    """Runs a command; returns wall time and processor time in seconds, peak memory in MiB, status and output."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, child.returncode, text


class Program:
    """One contestant: how it is set up for n files, and how it is run."""

    name = ""

    def available(self):
        return True

    def prepare(self, work, n):
        """Writes its policy for n files below `work`; returns the command and the directory it fills."""
        raise NotImplementedError


class Zester(Program):
    name = "zester"

    def __init__(self, binary):
        self.binary = str(binary)

    def prepare(self, work, n):
        base = work / f"zester-{n}"
        out = base / "out"
        (base / "states").mkdir(parents=True, exist_ok=True)
        (base / "states" / "files.zy").write_text(
            f"{out}:\n  file.directory:\n    - mode: '0755'\n\n"
            f"{{% for i in range({n}) %}}\n"
            f"{out}/file-{{{{ i }}}}.conf:\n  file.managed:\n    - mode: '0644'\n"
            "    - contents: |\n        managed by the benchmark\n        line two of file {{ i }}\n{% endfor %}\n"
        )
        return [self.binary, "apply", "files", "-C", str(base), "--no-progress"], out


class Salt(Program):
    name = "salt"

    def __init__(self, work):
        self.call = work / "salt" / "bin" / "salt-call"

    def available(self):
        return self.call.exists()

    def prepare(self, work, n):
        base = work / f"salt-{n}"
        out = base / "out"
        (base / "srv").mkdir(parents=True, exist_ok=True)
        (base / "conf").mkdir(exist_ok=True)
        (base / "conf" / "minion").write_text(
            f"file_client: local\nid: bench\nroot_dir: {base}/root\nfile_roots:\n  base: [{base}/srv]\n"
            "log_level: error\nlog_level_logfile: quiet\nstate_output: changes\n"
        )
        (base / "srv" / "files.sls").write_text(
            f"{out}:\n  file.directory:\n    - mode: '0755'\n\n"
            f"{{% for i in range({n}) %}}\n"
            f"{out}/file-{{{{ i }}}}.conf:\n  file.managed:\n    - mode: '0644'\n"
            "    - contents: |\n        managed by the benchmark\n        line two of file {{ i }}\n{% endfor %}\n"
        )
        return [str(self.call), "--local", "-c", str(base / "conf"), "state.apply", "files"], out


class CfEngine(Program):
    name = "cf-agent"

    def available(self):
        return shutil.which("cf-agent") is not None

    def prepare(self, work, n):
        base = work / f"cf-{n}"
        out = base / "out"
        base.mkdir(parents=True, exist_ok=True)
        names = ", ".join(f'"{i}"' for i in range(n))
        policy = base / "files.cf"
        policy.write_text(
            "body common control { bundlesequence => { \"main\" }; }\n"
            "body perms m(mode) { mode => \"$(mode)\"; rxdirs => \"false\"; }\n"
            "body edit_defaults empty { empty_file_before_editing => \"true\"; edit_backup => \"false\"; }\n"
            "bundle edit_line text(i) {\n  insert_lines:\n"
            "    \"managed by the benchmark\nline two of file $(i)\" insert_type => \"preserve_block\";\n}\n"
            "bundle agent main {\n  vars: \"i\" slist => { " + names + " };\n  files:\n"
            f"    \"{out}/.\" create => \"true\";\n"
            f"    \"{out}/file-$(i).conf\" create => \"true\", edit_line => text(\"$(i)\"),\n"
            "      edit_defaults => empty, perms => m(\"0644\");\n}\n"
        )
        policy.chmod(0o600)
        return ["cf-agent", "-KI", "-f", str(policy)], out


def verify(out, n, who):
    """The files must stand there with the right content: a fast program that does nothing wins nothing."""
    for i in (0, n // 2, n - 1):
        path = out / f"file-{i}.conf"
        if not path.exists() or path.read_text().strip() != CONTENT.format(i=i).strip():
            print(f"  {who}: {path.name} is not what it should be; its figures below are void", file=sys.stderr)
            return


def apply_table(programs, work, sizes, rounds, slow_limit):
    print("\nmasterless apply of n files, whole process, seconds: median (min – max)")
    print(f"{'n':>6}  {'':7}" + "".join(f"{p.name:>26}" for p in programs) + "   ratios to zester")
    for n in sizes:
        prepared = {p.name: p.prepare(work, n) for p in programs}
        times = {(p.name, kind): [] for p in programs for kind in ("new", "again")}
        skipped = set()
        for _ in range(rounds):
            for p in programs:
                if p.name in skipped:
                    continue
                command, out = prepared[p.name]
                shutil.rmtree(out, ignore_errors=True)
                first, done = run(command)
                if done.returncode not in (0, 2):
                    print(f"  {p.name} failed at n={n}: {done.stdout[-400:].decode(errors='replace')}", file=sys.stderr)
                    skipped.add(p.name)
                    continue
                verify(out, n, p.name)
                again, _ = run(command)
                times[p.name, "new"].append(first)
                times[p.name, "again"].append(again)
                if first > slow_limit:
                    skipped.add(p.name)
        for kind in ("new", "again"):
            row, ratios = f"{n:>6}  {kind:7}", []
            ours = times["zester", kind]
            for p in programs:
                seen = times[p.name, kind]
                if not seen:
                    row += f"{'–':>26}"
                    continue
                row += f"{statistics.median(seen):>10.4f} ({min(seen):.3f} – {max(seen):.3f})".rjust(26)
                if p.name != "zester" and ours:
                    ratios.append(f"{p.name} {statistics.median(seen) / statistics.median(ours):.0f}×")
            print(row + "   " + ", ".join(ratios), flush=True)
        for p in programs:
            shutil.rmtree(prepared[p.name][1], ignore_errors=True)


def generated_tree(base, files, states_per_file):
    """A tree of state files with templates, includes, requisites and settings, as real ones have them."""
    states, settings = base / "states", base / "settings"
    shutil.rmtree(base, ignore_errors=True)
    states.mkdir(parents=True)
    settings.mkdir()
    (settings / "top.zy").write_text("base:\n  '*':\n    - app\n")
    (settings / "app.zy").write_text("app:\n  root: /srv/app\n  port: 8080\n  users: [alice, bob]\n")
    refs = []
    for f in range(files):
        ref = f"part{f}"
        refs.append(ref)
        lines = ["{% set root = salt['pillar.get']('app:root', '/srv/app') %}"]
        for s in range(states_per_file):
            lines += [
                f"part{f}-dir-{s}:",
                "  file.directory:",
                f"    - name: {{{{ root }}}}/part{f}/dir{s}",
                "    - mode: '0755'",
                "    - makedirs: True",
                f"part{f}-conf-{s}:",
                "  file.managed:",
                f"    - name: {{{{ root }}}}/part{f}/dir{s}/app.conf",
                "    {% if grains['os_family'] == 'Debian' %}",
                "    - user: root",
                "    {% endif %}",
                "    - contents: |",
                "        port = {{ pillar['app']['port'] }}",
                "    - require:",
                f"      - file: part{f}-dir-{s}",
            ]
        (states / f"{ref}.zy").write_text("\n".join(lines) + "\n")
    (states / "all.zy").write_text("include:\n" + "".join(f"  - {r}\n" for r in refs))
    (states / "top.zy").write_text("base:\n  '*':\n    - all\n")


def command_table(title, rows, rounds):
    print(f"\n{title}, whole process, seconds: median (min – max), processor time, peak memory in MiB")
    for label, command in rows:
        seen = [measured(command) for _ in range(rounds + 1)][1:]
        wall = [s[0] for s in seen]
        processor, peak = statistics.median(s[1] for s in seen), max(s[2] for s in seen)
        # A child begins with the peak of the process that started it: below ours nothing can be told.
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        peak = f"{peak:.0f}" if peak > own * 1.05 else f"< {own:.0f}"
        status, text = seen[-1][3:]
        note = "" if status == 0 else f"   exit {status}: {text[-200:].decode(errors='replace')!r}"
        print(
            f"  {label:44} {statistics.median(wall):.4f} ({min(wall):.4f} – {max(wall):.4f})"
            f"  cpu {processor:.3f}  peak {peak}{note}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zester", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default="10,100,1000,10000")
    parser.add_argument("--slow-limit", type=float, default=20.0, help="a program slower than this runs once per size")
    parser.add_argument("--only", default="", help="apply, check or lower")
    options = parser.parse_args()
    work = options.work.resolve()
    zester = options.zester.resolve()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, load {load:.2f} before the start; {options.rounds} rounds")
    if options.only in ("", "apply"):
        programs = [p for p in (Zester(zester), Salt(work), CfEngine()) if p.available()]
        apply_table(programs, work, [int(n) for n in options.sizes.split(",")], options.rounds, options.slow_limit)
    if options.only in ("", "check", "lower"):
        rows = []
        for files in (10, 100, 1000, 6500):
            base = work / f"check-{files}"
            write_tree(base, files)
            rows.append((f"check   {files:>5} files as real ones are", [str(zester), "check", "-C", str(base)]))
        for files, states in ((1, 5), (10, 5), (100, 5), (1000, 5)):
            base = work / f"tree-{files}"
            generated_tree(base, files, states)
            counts = f"{files:>5} files, {files * states * 2:>6} states"
            rows.append((f"check   {counts}", [str(zester), "check", "-C", str(base)]))
            rows.append((f"plan    {counts}", [str(zester), "plan", "-C", str(base), "--output", "json"]))
        rows.append(("--version", [str(zester), "--version"]))
        command_table("check and lower of generated trees", rows, options.rounds)


if __name__ == "__main__":
    main()
