"""Measures the language server on a tree of thousands of files: first diagnostics, latency after each keystroke, memory.

    editor.py --zester PROGRAM --work DIRECTORY [--files N] [--keys N]

Types a line into a state file letter by letter; after each letter it waits for the findings of that version (what an
editor shows), and asks for completions. Then it types slower than the whole project is checked, and waits for that check after each
letter: what rules on several files find is known from then on. Prints a table; asserts nothing.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import threading
import queue
import time


class Server:
    def __init__(self, program, root):
        self.process = subprocess.Popen([program, "lsp"], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.root = root
        self.messages = queue.Queue()
        self.next = 0
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        out = self.process.stdout
        while True:
            length = 0
            while True:
                line = out.readline()
                if not line:
                    return
                if line.strip() == b"":
                    break
                name, value = line.split(b":", 1)
                if name.lower() == b"content-length":
                    length = int(value)
            self.messages.put((time.perf_counter(), json.loads(out.read(length))))

    def send(self, message):
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self.process.stdin.flush()

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def ask(self, method, params):
        self.next += 1
        started = time.perf_counter()
        self.send({"id": self.next, "method": method, "params": params})
        while True:
            at, message = self.messages.get(timeout=120)
            if message.get("id") == self.next and "method" not in message:
                if "error" in message:
                    raise RuntimeError(message["error"])
                return message["result"], at - started

    def memory(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in text.splitlines())
        return {name: int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")}


def quantiles(values):
    ordered = sorted(values)
    at = lambda q: ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1000
    return f"p50 {at(0.5):7.1f}  p99 {at(0.99):7.1f}  max {ordered[-1] * 1000:7.1f} ms"


def press(server, document, version, key, line, column):
    """Types one key, and says where the cursor is then."""
    position = {"line": line, "character": column}
    server.tell("textDocument/didChange", {
        "textDocument": {"uri": document, "version": version},
        "contentChanges": [{"range": {"start": position, "end": position}, "text": key}],
    })
    return (line + 1, 0) if key == "\n" else (line, column + 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--zester", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--files", type=int, default=6500)
    parser.add_argument("--keys", type=int, default=300)
    args = parser.parse_args()
    tree = args.work / f"editor-{args.files}"
    if not tree.is_dir():
        here = pathlib.Path(__file__).parent
        subprocess.run([sys.executable, here / "tree.py", tree, str(args.files)], check=True)
    root = tree.resolve()
    started = time.perf_counter()
    server = Server(args.zester, root)
    uri = root.as_uri()
    # As editors that ask for findings say it: they can be told that there are more.
    capabilities = {"general": {"positionEncodings": ["utf-8"]},
                    "workspace": {"diagnostics": {"refreshSupport": True}},
                    "textDocument": {"completion": {"completionItem": {"snippetSupport": True}}}}
    server.ask("initialize", {"processId": None, "rootUri": uri, "capabilities": capabilities})
    server.tell("initialized", {})
    report, _ = server.ask("workspace/diagnostic", {"previousResultIds": []})
    first = time.perf_counter() - started
    found = sum(len(item["items"]) for item in report["items"])
    load = os.getloadavg()[0]
    print(f"{args.files} files, {found} findings; {os.cpu_count()} processors, load {load:.2f}")
    print(f"first diagnostics of the project, from the start of the process: {first * 1000:.0f} ms")
    print(f"memory after the first check: {server.memory()['VmRSS']:.0f} MiB")

    states = sorted(p for p in (root / "states").rglob("*.zy") if p.name != "top.zy")
    path = states[len(states) // 2]
    text = path.read_text() + "\n"
    document = path.as_uri()
    server.tell("textDocument/didOpen", {"textDocument": {"uri": document, "languageId": "zester", "version": 0, "text": text}})
    line = text.count("\n")
    column = 0
    typed = "\nbench typed:\n  file.managed:\n    - name: /etc/bench\n    - source: zester://x\n    - mode: '0644'\n    - require:\n      - pkg: nginx\n  cmd.run:\n    - name: echo {{ settings.get('a') }}\n"
    keys = (typed * (args.keys // len(typed) + 1))[: args.keys]
    diagnostics, completions, pulled, checked = [], [], [], []
    for version, key in enumerate(keys, 1):
        began = time.perf_counter()
        line, column = press(server, document, version, key, line, column)
        _, took = server.ask("textDocument/completion", {"textDocument": {"uri": document}, "position": {"line": line, "character": column}})
        completions.append(took)
        server.ask("textDocument/diagnostic", {"textDocument": {"uri": document}})
        diagnostics.append(time.perf_counter() - began)
    memory = [server.memory()["VmRSS"]]
    for version, key in enumerate(keys, len(keys) + 1):
        began = time.perf_counter()
        line, column = press(server, document, version, key, line, column)
        server.ask("textDocument/diagnostic", {"textDocument": {"uri": document}})
        pulled.append(time.perf_counter() - began)
    memory.append(server.memory()["VmRSS"])
    for version, key in enumerate(keys[:40], 2 * len(keys) + 1):
        began = time.perf_counter()
        line, column = press(server, document, version, key, line, column)
        server.ask("textDocument/references", {"textDocument": {"uri": document}, "position": {"line": 0, "character": 0},
                                               "context": {"includeDeclaration": True}})
        checked.append(time.perf_counter() - began)
    memory.append(server.memory()["VmRSS"])
    print("memory after completions, keystrokes, checks:     " + ", ".join(f"{m:.0f}" for m in memory) + " MiB")
    print(f"diagnostics after a keystroke:                    {quantiles(pulled)}")
    print(f"the whole project checked after a keystroke:      {quantiles(checked)}")
    print(f"completion after a keystroke:                     {quantiles(completions)}")
    print(f"diagnostics after a keystroke and its completion: {quantiles(diagnostics)}")
    # In the middle of the last expression of the document.
    before = text[: text.rfind("}}") - 2] if "}}" in text else text
    position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
    hover = {"textDocument": {"uri": document}, "position": position}
    times = [server.ask("textDocument/hover", hover)[1] for _ in range(50)]
    print(f"{'hover':49} {quantiles(times)}")
    for method in ("documentSymbol", "semanticTokens/full", "foldingRange", "documentLink", "codeLens"):
        times = [server.ask(f"textDocument/{method}", {"textDocument": {"uri": document}})[1] for _ in range(20)]
        print(f"{method:49} {quantiles(times)}")
    memory = server.memory()
    print(f"memory at the end: {memory['VmRSS']:.0f} MiB, at most {memory['VmHWM']:.0f} MiB")
    server.ask("shutdown", None)
    server.tell("exit", None)
    server.process.wait(timeout=20)


main()
