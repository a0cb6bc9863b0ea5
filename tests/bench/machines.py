"""Real peels of a `zester lab` beside real minions of Salt on this machine, in one run.

    machines.py --zester PATH --work DIR [--peels 1,20] [--rounds 10]

Both are what a user starts: processes of their own, with their encryption, keys and records. A job is measured as a
whole command (`zester '*' test.ping`, `salt '*' test.ping`) and, for Salt, from a client that is warm too; that of
Zester is in the first part of the benchmark. The states are 100 files of a published tree that are there already.
Prints medians; asserts that all machines answered and nothing else.
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

FILES = 100
STATES = (
    "{{% for i in range({count}) %}}\n"
    "{{{{ {root} }}}}/f{{{{ i }}}}.conf:\n  file.managed:\n    - mode: '0644'\n    - makedirs: true\n"
    "    - contents: |\n        managed by the benchmark\n        line two of file {{{{ i }}}}\n{{% endfor %}}\n"
)
# Runs in Salt's own Python: rounds of one function on all minions, from one client.
WARM = """
import sys, time, salt.client
config, rounds, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
client = salt.client.LocalClient(config)
for _ in range(rounds):
    began = time.perf_counter()
    answers = client.cmd('*', 'test.ping', timeout=60)
    took = time.perf_counter() - began
    assert len(answers) == count, answers
    print(took, flush=True)
"""


def timed(command, expected, **kwargs):
    """Runs a command and returns its wall time in seconds; it must succeed and its output hold what is expected."""
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)
    took = time.perf_counter() - began
    if done.returncode != 0 or not expected(done.stdout):
        sys.exit(f"{command}: exit status {done.returncode}\n{done.stdout[-2000:]}")
    return took


def median_of(rounds, command, expected, **kwargs):
    timed(command, expected, **kwargs)
    return statistics.median(timed(command, expected, **kwargs) for _ in range(rounds))


def descendants(pids):
    """The processes and all that they have started."""
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, pending = set(), list(pids)
    while pending:
        pid = pending.pop()
        if pid not in found:
            found.add(pid)
            pending.extend(children.get(pid, []))
    return found


def idle(pids, seconds):
    """Memory (PSS) in MiB and processor time in percent of processes, together, while nothing is asked."""

    def ticks(pid):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    pids = descendants(pids)
    before = sum(map(ticks, pids))
    time.sleep(seconds)
    used = (sum(map(ticks, pids)) - before) / os.sysconf("SC_CLK_TCK") / seconds * 100
    memory = 0
    for pid in pids:
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        memory += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return memory / 1024, used


def zester(binary, count, rounds, seconds):
    scratch = pathlib.Path(tempfile.mkdtemp())
    lab = [binary, "lab", "--dir", str(scratch / "lab")]
    try:
        timed([*lab, "up", "--masters", "1", "--peels", str(count)], lambda _: True)
        tree = scratch / "tree"
        (tree / "states").mkdir(parents=True)
        (tree / "states/top.zy").write_text("base:\n  '*': [files]\n")
        (tree / "states/files.zy").write_text(STATES.format(count=FILES, root="facts.lab_root"))
        timed([*lab, "exec", "--", "publish", "-C", str(tree)], lambda out: "revision" in out)
        done = lambda out: f"{count} done" in out
        timed([*lab, "exec", "--", "apply", "-t", "*"], done)
        row = {
            "ping": median_of(rounds, [*lab, "exec", "--", "*", "test.ping"], done),
            "apply": median_of(rounds, [*lab, "exec", "--", "apply", "-t", "*"], done),
        }
        parts = json.loads(subprocess.check_output([*lab, "status", "--output", "json"]))["parts"]
        time.sleep(5)
        memory, used = idle([pid for name, pid in parts.items() if name.startswith("web-")], seconds)
        row["agent"] = (memory / count, used / count)
        row["master"] = idle([pid for name, pid in parts.items() if name.startswith("master")], seconds)
        return row
    finally:
        subprocess.run([*lab, "down"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(scratch, ignore_errors=True)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def salt(programs, count, rounds, seconds):
    scratch = pathlib.Path(tempfile.mkdtemp())
    publish, answer = free_ports(2)
    started = []

    def start(program, config):
        log = (config / "out").open("w")
        command = [programs / program, "-c", str(config), "--log-level", "error"]
        started.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        return started[-1].pid

    def configure(name, kind, settings):
        directory = scratch / name
        directory.mkdir(parents=True)
        # JSON is YAML.
        settings["root_dir"] = str(directory / "root")
        (directory / kind).write_text(json.dumps(settings))
        return directory

    try:
        (scratch / "states").mkdir()
        (scratch / "states/top.sls").write_text("base:\n  '*': [files]\n")
        (scratch / "states/files.sls").write_text(STATES.format(count=FILES, root="grains.bench_root"))
        master = configure(
            "master",
            "master",
            {
                "interface": "127.0.0.1",
                "publish_port": publish,
                "ret_port": answer,
                "auto_accept": True,
                "user": "root",
                "file_roots": {"base": [str(scratch / "states")]},
            },
        )
        master_pid = start("salt-master", master)
        minions = []
        for n in range(1, count + 1):
            settings = {
                "id": f"web-{n}",
                "master": "127.0.0.1",
                "master_port": answer,
                "publish_port": publish,
                "user": "root",
                "grains": {"bench_root": str(scratch / f"files-{n}")},
            }
            minions.append(start("salt-minion", configure(f"web-{n}", "minion", settings)))
        client = [programs / "salt", "-c", str(master), "--timeout", "60", "*"]
        answered = lambda out: out.count("True") == count
        end = time.monotonic() + 180
        while True:
            done = subprocess.run(
                [programs / "salt", "-c", str(master), "--timeout", "5", "*", "test.ping"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            if answered(done.stdout):
                break
            if time.monotonic() > end:
                sys.exit(f"Salt's minions do not come: {done.stdout[-500:]}")
            time.sleep(1)
        applied = lambda out: out.count(f"Succeeded: {FILES}") == count
        timed([*client, "state.apply"], applied)
        row = {
            "ping": median_of(rounds, [*client, "test.ping"], answered),
            "apply": median_of(max(2, rounds // 3), [*client, "state.apply"], applied),
        }
        warm = subprocess.check_output(
            [programs / "python", "-c", WARM, str(master / "master"), str(rounds + 1), str(count)], text=True
        )
        row["warm"] = statistics.median(float(line) for line in warm.split()[1:])
        time.sleep(5)
        memory, used = idle(minions, seconds)
        row["agent"] = (memory / count, used / count)
        row["master"] = idle([master_pid], seconds)
        return row
    finally:
        for process in started:
            # A minion is two processes; both are in its session.
            subprocess.run(["pkill", "-KILL", "-s", str(process.pid)])
            process.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zester", required=True, help="the program")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="where peers are installed")
    parser.add_argument("--peels", default="1,20", help="numbers of machines")
    parser.add_argument("--rounds", type=int, default=10, help="rounds of each command")
    parser.add_argument("--seconds", type=int, default=20, help="how long idle machines are watched")
    options = parser.parse_args()
    programs = options.work / "salt" / "bin"
    print(f"{'':16}{'ping':>9}{'warm':>9}{'apply':>9}   agent: MiB    cpu   master: MiB    cpu")
    for count in map(int, options.peels.split(",")):
        rows = [("zester", zester(options.zester, count, options.rounds, options.seconds))]
        if (programs / "salt-master").exists():
            rows.append(("salt", salt(programs, count, options.rounds, options.seconds)))
        for name, row in rows:
            cells = [f"{row[key]:8.3f}s" if key in row else f"{'–':>9}" for key in ("ping", "warm", "apply")]
            agent, master = row["agent"], row["master"]
            usage = f"{agent[0]:13.1f}{agent[1]:6.2f}%{master[0]:14.1f}{master[1]:6.2f}%"
            print(f"{name:7}{count:5} {'x':3}{''.join(cells)}{usage}", flush=True)


if __name__ == "__main__":
    main()
