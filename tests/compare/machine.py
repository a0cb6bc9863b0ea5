"""Machines to throw away: a layer over this one, with processes, network, host name and mounts of its own."""

import atexit
import os
import pathlib
import subprocess
import sys
import tempfile

# What the cases need and a small machine may lack.
PACKAGES = ["at", "cron", "debconf-utils", "git", "initscripts", "insserv", "iptables", "locales", "logrotate", "openssh-client", "patch", "python3-venv"]
QUIET = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def call(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


class Machine:
    """A machine over `lower`, the upper layers first; what is written goes to a layer of its own, in memory."""

    # What makes it whole, from the inside.
    INSIDE = [
        ["mount", "-t", "proc", "proc", "/proc"],
        ["mount", "-t", "sysfs", "sysfs", "/sys"],
        ["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp"],
        ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"],
        ["mkdir", "-m", "1777", "/run/lock"],
        ["ip", "link", "set", "lo", "up"],
        ["hostname", "compare"],
    ]

    def __init__(self, name, lower, root):
        self.name = name
        self.lower = lower
        self.root = root
        self.place = None

    def __enter__(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix=f"compare-{self.name}-"))
        call("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(self.place))
        for part in ("upper", "work", "merged"):
            (self.place / part).mkdir()
        layers = ":".join(map(str, [*self.lower, "/"]))
        options = f"lowerdir={layers},upperdir={self.place}/upper,workdir={self.place}/work"
        call("mount", "-t", "overlay", "-o", options, "overlay", str(self.place / "merged"))
        call("mount", "--rbind", "/dev", str(self.path("/dev")))
        # The project and the programs may lie on another file system; they are only read.
        self.path(self.root).mkdir(parents=True, exist_ok=True)
        call("mount", "--bind", str(self.root), str(self.path(self.root)))
        call("mount", "-o", "remount,bind,ro", str(self.path(self.root)))
        return self

    def path(self, path):
        """Where a path of the machine lies outside."""
        return self.place / "merged" / str(path).lstrip("/")

    def put(self, path, text):
        """Puts a program into the machine. A link in its place points to this machine's files when it is followed from here: it goes first."""
        place = self.path(path)
        if not place.parent.resolve().is_relative_to(self.place / "merged"):
            sys.exit(f"{place.parent} leads out of the machine that is thrown away")
        place.unlink(missing_ok=True)
        with open(place, "x") as file:
            file.write(text)
        place.chmod(0o755)

    def run(self, command, network=False):
        """Runs a command in the machine; its status and its output. Whatever it leaves running ends with it."""
        spaces = ["--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"] + ([] if network else ["--net"])
        done = subprocess.run(
            ["unshare", *spaces, "chroot", str(self.place / "merged"), *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=QUIET,
        )
        return done.returncode, done.stdout.decode(errors="replace")

    def __exit__(self, *_):
        # They hang in a name space of ours and go with it; here only for the memory.
        subprocess.run(["umount", "--lazy", "--recursive", str(self.place)], check=False)
        try:
            self.place.rmdir()
        except OSError:
            pass


def base_layer(root):
    """A layer with the packages that the cases need, for both machines; nothing of it comes to this one."""
    archives = root / "target" / "compare" / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    machine = Machine("base", [], root)
    machine.__enter__()
    atexit.register(machine.__exit__)
    machine.put("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")
    call("mount", "--bind", str(archives), str(machine.path("/var/cache/apt/archives")))
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]):
        status, text = machine.run(["sh", "-c", "mount -t proc proc /proc && exec \"$@\"", "sh", *command], network=True)
        if status:
            sys.exit(f"{' '.join(command)}: {text}")
    machine.path("/usr/sbin/policy-rc.d").unlink()
    # Asked by Salt before it looks at init scripts; a machine that is started has it.
    machine.put("/usr/sbin/runlevel", "#!/bin/sh\necho N 2\n")
    # Nobody runs systemd there: without its clients both see a machine of init scripts.
    for program in ("systemctl", "timedatectl", "localectl", "hostnamectl"):
        machine.path(f"/usr/bin/{program}").unlink(missing_ok=True)
    return [machine.place / "upper"]
