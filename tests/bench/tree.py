"""Writes a tree of state files, settings and templates in the proportions of real ones.

    tree.py DIRECTORY FILES [--seed N]

Of every hundred `.zy` files fourteen are settings. A third of the state files has no template in it, a fifth only
expressions, a fifth blocks around whole states, a tenth blocks inside them; the rest emits structure from macros,
includes and conditional headers. Functions, requisites and forms of writing have the frequencies counted in 57 public
repositories. The same seed writes the same tree, and `zester check` finds no error in it.
"""

import argparse
import pathlib
import random
import shutil

# Functions with their uses among 18,139.
FUNCTIONS = [
    ("file.managed", 4363), ("pkg.installed", 2124), ("cmd.run", 1894), ("file.directory", 1176),
    ("file.absent", 1331), ("service.running", 894), ("file.symlink", 372), ("service.dead", 294),
    ("pkgrepo.managed", 191), ("file.replace", 221), ("user.present", 181), ("file.append", 134),
    ("cron.present", 141), ("group.present", 122), ("pkg.latest", 145), ("pkg.removed", 94),
    ("sysctl.present", 128), ("test.nop", 149), ("service.enabled", 54),
]
# Classes of state files by the worst construct in them, in per mille.
CLASSES = [
    ("plain", 333), ("expressions", 206), ("blocks", 207), ("nested", 102), ("macro", 78), ("included", 18),
    ("header", 18), ("splice", 20), ("text", 9), ("scalar", 9),
]
REQUISITES = [("require", 7035), ("watch", 1501), ("watch_in", 1175), ("require_in", 846), ("onchanges", 314)]
APP = ["nginx", "redis", "postgres", "haproxy", "zabbix", "salt", "ntp", "ssh", "users", "php", "docker", "backup"]


class Writer:
    def __init__(self, random, package):
        self.random = random
        self.package = package

    def pick(self, weighted):
        names, weights = zip(*weighted)
        return self.random.choices(names, weights)[0]

    def arguments(self, function, key, value):
        """Lines of a function's arguments; `value` writes a word, perhaps as an expression."""
        module = function.split(".")[0]
        if function == "file.managed":
            lines = [f"    - name: /etc/{self.package}/{key}.conf", "    - user: root", "    - mode: '0644'"]
            if self.random.random() < 0.6:
                return lines + [f"    - source: zester://{self.package}/files/app.conf", "    - template: jinja"]
            return lines + ["    - contents: |", f"        # {key}", f"        port = {value('port')}"]
        if module == "pkg":
            if function != "pkg.removed" and self.random.random() < 0.3:
                return ["    - pkgs:", f"      - {self.package}-common", f"      - {self.package}-{value('flavour')}"]
            return [f"    - name: {value('name')}"]
        if module == "service":
            return [f"    - name: {value('name')}"] + (["    - enable: True"] if function == "service.running" else [])
        return {
            "cmd.run": [f"    - name: /usr/bin/{self.package} reload {value('name')}", f"    - unless: test -e /run/{key}"],
            "file.directory": [f"    - name: /srv/{self.package}/{key}", "    - mode: " + self.random.choice(("755", "'0755'")), "    - makedirs: True"],
            "file.absent": [f"    - name: /etc/{self.package}/{key}.old"],
            "file.symlink": [f"    - name: /usr/local/bin/{key}", f"    - target: /opt/{self.package}/{value('name')}"],
            "pkgrepo.managed": ["    - humanname: Packages", f"    - name: deb http://deb.example.com/{value('name')} stable main"],
            "file.replace": [f"    - name: /etc/default/{self.package}", f"    - pattern: ^{key}=.*", f"    - repl: {key}={value('port')}"],
            "file.append": ["    - name: /etc/hosts.allow", f"    - text: 'sshd: {key}'"],
            "user.present": [f"    - name: {key}", f"    - home: /home/{value('name')}", "    - shell: /bin/bash"],
            "group.present": [f"    - name: {key}", "    - system: True"],
            "cron.present": [f"    - name: /usr/local/bin/{key}", "    - user: root", "    - minute: 17", "    - hour: '*/2'"],
            "sysctl.present": [f"    - name: net.ipv4.{key}", "    - value: 1"],
        }.get(function, [])

    def state(self, key, value=None, earlier=(), header=True, function=None):
        """One state. `earlier` are (module, id) of states that it may refer to."""
        value = value or (lambda word: {"port": "8080", "flavour": "doc"}.get(word, self.package))
        function = function or self.pick(FUNCTIONS)
        module, name = function.split(".")
        arguments = self.arguments(function, key, value)
        if earlier and self.random.random() < 0.55:
            kind = self.pick(REQUISITES)
            # A watched state is refreshed; what points back must not point forwards as well.
            target, id = self.random.choice(earlier)
            if not kind.endswith("_in"):
                arguments += [f"    - {kind}:", f"      - {target}: {id}"]
        if not header:
            return arguments, (module, key)
        form = self.random.random()
        if not arguments and form < 0.9:
            return [f"{key}:", f"  {function}: []"], (module, key)
        if form < 0.16:
            return [f"{key}:", f"  {module}:", f"    - {name}"] + arguments, (module, key)
        return [f"{key}:", f"  {function}:"] + arguments, (module, key)

    def file(self, number, include):
        """A state file: its text."""
        kind = self.pick(CLASSES)
        base = f"{self.package}-{number}"
        lines = []
        expression = lambda word: f"{{{{ {self.package}.{word} }}}}"
        known = None if kind == "plain" else expression
        if kind != "plain":
            lines.append(f'{{% from "{self.package}/map.jinja" import {self.package} with context %}}')
        if kind in ("macro", "splice"):
            lines.append(f'{{% from "{self.package}/macros.jinja" import whole, options with context %}}')
        if include:
            lines += ["", "include:", f"  - {include}", ""]
        earlier = []
        for n in range(self.random.choice((1, 1, 2, 2, 3, 4, 6))):
            text, key = self.state(f"{base}-{n}", known, earlier)
            if kind == "blocks" and n % 2 == 0:
                test = self.random.choice(("grains['os_family'] == 'Debian'", f"{self.package}.enabled", "grains.os == 'Ubuntu'"))
                text = [f"{{%- if {test} %}}"] + text + ["{%- endif %}"]
            else:
                earlier.append(key)
            if kind == "nested":
                text += [f"{{% if grains['os_family'] == 'RedHat' %}}", "    - onlyif: test -d /etc/sysconfig", "{% endif %}"]
                text = [t.removesuffix(" []") for t in text]
            lines += text + [""]
        extra = {
            "blocks": [
                f"{{% for user in salt['pillar.get']('{self.package}:users', []) %}}",
                f"{base}-home-{{{{ user }}}}:", "  file.directory:", f"    - name: /home/{{{{ user }}}}/{base}",
                "{% endfor %}",
            ],
            "macro": [f"{{{{ whole('{base}-generated') }}}}"],
            "included": [f"{{% set item = '{base}' %}}", f'{{% include "{self.package}/part.jinja" %}}'],
            "header": [
                f"{base}-install:", f"{{% if {self.package}.enabled %}}", "  pkg.installed:", "{% else %}", "  pkg.latest:",
                "{% endif %}", f"    - name: {self.package}",
            ],
            "splice": [f"{base}-options:", "  file.directory:", f"    - name: /srv/{base}", f"    {{{{ options('{base}') }}}}"],
            "text": [
                f"/etc/{self.package}/{base}.list:", "  file.managed:", "    - contents: |",
                f"      {{%- for user in {self.package}.users %}}", "        allow {{ user }}", "      {%- endfor %}",
            ],
            "scalar": [
                f"{base}-reload:", "  cmd.run:",
                f"    - name: {{% if {self.package}.enabled %}}systemctl reload{{% else %}}service reload{{% endif %}} {self.package}",
                "    - unless: test -e /run/reloaded",
            ],
        }.get(kind, [])
        return "\n".join(lines + extra) + "\n"


def package_templates(package):
    """What the state files of a package import and include."""
    return {
        "map.jinja": (
            "{% set defaults = salt['grains.filter_by']({\n"
            f"    'Debian': {{'name': '{package}', 'port': 8080, 'flavour': 'doc', 'enabled': True, 'users': ['ada', 'bob']}},\n"
            f"    'RedHat': {{'name': '{package}d', 'port': 80, 'flavour': 'devel', 'enabled': False, 'users': []}},\n"
            "}, grain='os_family', default='Debian') %}\n"
            f"{{% set {package} = salt['pillar.get']('{package}', default=defaults, merge=True) %}}\n"
        ),
        "macros.jinja": (
            "{% macro whole(id) %}\n{{ id }}:\n  file.directory:\n    - name: /var/lib/{{ id }}\n    - makedirs: True\n{% endmacro %}\n"
            "{% macro options(name) %}- makedirs: True\n    - user: root{% endmacro %}\n"
        ),
        "part.jinja": "{{ item }}-part:\n  file.directory:\n    - name: /opt/{{ item }}\n",
        "files/app.conf": f"# {package}\nlisten = {{{{ grains['fqdn'] }}}}\n",
    }


def write_tree(base, files, seed=1):
    """Writes the tree; returns the number of `.zy` files, which is `files`."""
    base = pathlib.Path(base)
    shutil.rmtree(base, ignore_errors=True)
    dice = random.Random(seed)
    settings = max(2, files * 14 // 100)
    states = max(1, files - settings - 1)
    each = 8
    packages, tops = [], []
    for first in range(0, states, each):
        package = f"{APP[first // each % len(APP)]}{first // each}"
        packages.append(package)
        folder = base / "states" / package
        (folder / "files").mkdir(parents=True)
        for name, text in package_templates(package).items():
            (folder / name).write_text(text)
        writer = Writer(dice, package)
        refs = []
        for number in range(min(each, states - first)):
            stem = "init" if number == 0 else f"part{number}"
            include = f".{refs[-1]}" if refs and refs[-1] != "init" and dice.random() < 0.47 else None
            (folder / f"{stem}.zy").write_text(writer.file(number, include))
            refs.append(stem)
        tops += [package if r == "init" else f"{package}.{r}" for r in refs]
    (base / "states" / "top.zy").write_text(
        "base:\n" + "".join(
            f"  'role-{n}-*':\n" + "".join(f"    - {ref}\n" for ref in tops[at:at + 40])
            for n, at in enumerate(range(0, len(tops), 40))
        )
    )
    (base / "settings").mkdir()
    names = []
    for number in range(settings - 1):
        package = packages[number % len(packages)] if number < len(packages) else f"site{number}"
        lines = [f"{package}:", "  enabled: true", f"  port: {8000 + number % 1000}", "  users: [ada, bob, eve]", "  limits:"]
        for n in range(dice.randrange(2, 30)):
            lines.append(f"    limit{n}: '{dice.randrange(10 ** 6)}'")
        if dice.random() < 0.36:
            lines.append(f"  host: {{{{ grains['id'] }}}}.example.com")
        (base / "settings" / f"part{number}.zy").write_text("\n".join(lines) + "\n")
        names.append(f"part{number}")
    (base / "settings" / "top.zy").write_text("base:\n  '*':\n" + "".join(f"    - {n}\n" for n in names))
    return settings + states + 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("files", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    count = write_tree(options.directory, options.files, options.seed)
    size = sum(p.stat().st_size for p in options.directory.rglob("*") if p.is_file())
    print(f"{count} files of states and settings, {size} bytes in all")


if __name__ == "__main__":
    main()
