#!/usr/bin/python3
"""The figures of the platform itself, each beside its yardstick in the same run.

Called by tests/bench/platform with the addresses of a running platform that has one app,
`hello`, whose web process is the static hello program.
"""
import json
import os
import socket
import statistics
import subprocess
import sys
import time

control, http, hello, paasd_pid = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
host, port = http.rsplit(":", 1)
rounds = int(os.environ.get("ROUNDS", "9"))


class Api:
    """One kept-alive connection to control.sock."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(control)
        self.file = self.sock.makefile("rb")

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else b""
        self.sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                          f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
        status = int(self.file.readline().split()[1])
        length = 0
        while (line := self.file.readline().strip()):
            name, value = line.decode().split(":", 1)
            if name.lower() == "content-length":
                length = int(value)
        text = self.file.read(length)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {text!r}")
        return json.loads(text or b"null")

    def scale(self, n):
        self.call("PATCH", "/apps/hello/formation", {"updates": [{"type": "web", "quantity": str(n)}]})

    def up(self):
        return sum(d["state"] == "up" for d in self.call("GET", "/apps/hello/dynos"))

    def none_left(self):
        return not self.call("GET", "/apps/hello/dynos")


def answers():
    try:
        with socket.create_connection((host, int(port)), 1) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n")
            return s.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def until(what, limit=30):
    end = time.monotonic() + limit
    while not what():
        if time.monotonic() > end:
            raise RuntimeError("it does not happen")
        time.sleep(0.0005)  # or the asking itself would take a core from who is asked


def start_here(api):
    api.scale(0)
    until(api.none_left)
    begin = time.monotonic()
    api.scale(1)
    until(answers)
    return time.monotonic() - begin


def start_bwrap():
    begin = time.monotonic()
    p = subprocess.Popen(["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--symlink",
                          "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev",
                          "--tmpfs", "/tmp", "--ro-bind", hello, "/hello", "/hello"],
                         stdout=subprocess.PIPE, env={"PORT": "5000"})
    p.stdout.readline()
    took = time.monotonic() - begin
    p.kill()
    p.wait()
    return took


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def command(pid):
    with open(f"/proc/{pid}/cmdline") as f:
        return f.read().split("\0")[0]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


def ms(seconds):
    return f"{1000 * statistics.median(seconds):.1f} ms"


api = Api()
here, there = [], []
for _ in range(rounds):  # interleaved, so that noise meets both
    here.append(start_here(api))
    there.append(start_bwrap())
print(f"start of one instance, request to answer: {ms(here)}; bwrap --unshare-all: {ms(there)}; "
      f"ratio {statistics.median(here) / statistics.median(there):.2f} (wanted: at most 3)")

took = []
for _ in range(max(3, rounds // 3)):
    api.scale(1)
    until(lambda: api.up() == 1)
    until(lambda: len(api.call("GET", "/apps/hello/dynos")) == 1)
    begin = time.monotonic()
    api.scale(20)
    until(lambda: api.up() == 20)
    took.append(time.monotonic() - begin)
print(f"scale web=1 to 20, all up: {ms(took)} (wanted: at most 500 ms)")

platform = {}
inits, apps = [], []
for child in [paasd_pid] + children(paasd_pid):
    if "paas-init" in command(child):
        inits.append(pss(child))
        apps += [pss(p) for p in children(child)]
    else:
        name = os.path.basename(command(child))
        platform[name] = platform.get(name, 0) + pss(child)
if not inits:
    raise RuntimeError("no instance found below paasd")
print("PSS of the idle platform: %.1f MB (wanted: at most 18): " % (sum(platform.values()) / 1024)
      + ", ".join(f"{k} {v / 1024:.1f}" for k, v in sorted(platform.items())))
print(f"PSS per idle instance beyond the app: {statistics.median(inits):.0f} KB (wanted: at most 350); "
      f"the app itself: {statistics.median(apps):.0f} KB")
api.scale(1)
