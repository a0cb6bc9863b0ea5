"""Plans of a whole inventory: `zester check --facts DIR` over the number of peels.

    inventory.py --zester PATH --work DIR [--peels 10,100,1000,10000] [--rounds 3]

Each peel gets 100 states from ten files, with settings, a `map.jinja` and targets by role and family. Two trees: in
`alike` templates read what many peels have in common (family, release, role, settings); in `each` one file of ten
asks for the peel's id and address, so that no two peels have the same plan. Prints medians of elapsed time, processor
time and the largest peak of memory, and what one peel costs.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import time

ROLES = ["web", "db", "cache", "queue", "mail", "ci", "proxy", "log"]
FAMILIES = [("debian", "Debian", "12"), ("debian", "Debian", "13"), ("debian", "Ubuntu", "24.04"), ("redhat", "Rocky", "9")]
FILES, STATES = 10, 10


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def tree(base, each):
    shutil.rmtree(base, ignore_errors=True)
    refs = "".join(f"    - part{n}\n" for n in range(FILES - 1))
    roles = "".join(f"  '{role}-*':\n    - role\n" for role in ROLES)
    write(base / "states/top.zy", f"base:\n  '*':\n{refs}{roles}")
    write(
        base / "states/map.jinja",
        "{% set app = salt['grains.filter_by']({'Debian': {'service': 'app', 'dir': '/etc/app'}, "
        "'RedHat': {'service': 'appd', 'dir': '/etc/appd'}}, default='Debian') %}\n",
    )
    for number in range(FILES):
        name = "role" if number == FILES - 1 else f"part{number}"
        states = ["{% from 'map.jinja' import app with context %}"] if number % 3 == 0 else []
        for at in range(STATES):
            own = ""
            if each and number == 0 and at == 0:
                own = "\n    - context: {id: {{ grains.id }}, family: {{ grains.os_family }}}\n    - template: jinja"
            where = f"{{{{ app.dir }}}}/{name}" if number % 3 == 0 else f"/etc/{name}"
            require = f"\n    - require:\n      - file: {where}/{at - 1}.conf" if at else ""
            text = f"{{{{ settings.role }}}} {{{{ grains.os_family }}}} {number} {at}"
            states.append(f"{where}/{at}.conf:\n  file.managed:\n    - contents: '{text}'\n    - mode: '0644'{own}{require}")
        write(base / f"states/{name}.zy", "\n".join(states) + "\n")
    write(
        base / "settings/top.zy",
        "base:\n  '*':\n    - all\n" + "".join(f"  '{role}-*':\n    - {role}\n" for role in ROLES),
    )
    write(base / "settings/all.zy", "role: none\nport: 80\nadmins: [anna, bert]\n")
    for number, role in enumerate(ROLES):
        write(base / f"settings/{role}.zy", f"role: {role}\nport: {8000 + number}\n")


def peels(base, count):
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    for number in range(count):
        family, name, release = FAMILIES[number % len(FAMILIES)]
        facts = {
            "os": {"family": family, "name": name, "release": release},
            "network": {"primary_ip": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", "fqdn": f"n{number}.example.org"},
            "cpu": {"count": 2 + number % 7},
            "memory": {"total": 1024 * (1 + number % 31)},
        }
        role = ROLES[number // len(FAMILIES) % len(ROLES)]
        (base / f"{role}-{number:05}.json").write_text(json.dumps(facts))


def measured(command):
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate()
    elapsed = time.monotonic() - start
    return elapsed, process.returncode, out, err


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--zester", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--peels", default="10,100,1000,10000")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors\n")
    print(f"{'tree':6} {'peels':>6} {'plans':>6} {'seconds':>8} {'cpu s':>7} {'MiB':>6} {'ms/peel':>8}")
    for kind in ["alike", "each"]:
        base = options.work / f"inventory-{kind}"
        tree(base, kind == "each")
        for count in map(int, options.peels.split(",")):
            known = options.work / "inventory-peels"
            peels(known, count)
            rounds, plans, memory = [], "?", "?"
            for _ in range(options.rounds):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                elapsed, code, out, err = measured(
                    [options.zester, "-C", str(base), "check", "--facts", str(known), "--statistics", "--format", "short"]
                )
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                if code != 0:
                    raise SystemExit(f"check found errors:\n{out[:2000]}{err[:2000]}")
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                rounds.append((elapsed, cpu))
                for line in err.splitlines():
                    if "different plan" in line:
                        plans = line.split(",")[1].split()[0]
                    if "MiB at most" in line:
                        memory = line.split(",")[1].split()[0]
            elapsed = statistics.median(r[0] for r in rounds)
            cpu = statistics.median(r[1] for r in rounds)
            print(f"{kind:6} {count:6} {plans:>6} {elapsed:8.3f} {cpu:7.3f} {memory:>6} {1000 * elapsed / count:8.3f}")


if __name__ == "__main__":
    main()
