"""Processes that the tests start, in network namespaces of their own, so that their ports are nobody else's."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WXGATE = os.environ.get("WXGATE", str(ROOT / "target" / "debug" / "wxgate"))
PATIENCE = 30


def may_make_namespaces():
    if not shutil.which("ip"):
        return False
    made = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    return made.returncode == 0


needs_namespaces = unittest.skipUnless(
    may_make_namespaces(), "network namespaces are not permitted here (root and the program ip are needed)"
)


def eventually(what, holds):
    """Waits until it holds."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {PATIENCE} s")


class Namespace:
    """A network of its own with its loopback, like a pod's. It ends with the last process in it."""

    def __init__(self, name, hosts=""):
        self.name = f"wxgate-{os.getpid()}-{name}"
        self.folder = tempfile.TemporaryDirectory()
        self.hosts = pathlib.Path(self.folder.name) / "hosts"
        self.hosts.write_text(f"127.0.0.1 localhost\n{hosts}")
        self.processes = []
        ip("netns", "add", self.name)
        self.run("ip", "link", "set", "lo", "up")

    def command(self, *command):
        script = 'mount --bind "$0" /etc/hosts && exec "$@"'
        return ["ip", "netns", "exec", self.name, "sh", "-c", script, str(self.hosts), *map(str, command)]

    def run(self, *command, **settings):
        return subprocess.run(self.command(*command), capture_output=True, text=True, check=False, timeout=PATIENCE, **settings)

    def start(self, *command, **settings):
        log = pathlib.Path(self.folder.name) / f"{len(self.processes)}.log"
        with open(log, "w") as out:
            process = subprocess.Popen(self.command(*command), stdout=out, stderr=out, stdin=subprocess.DEVNULL, **settings)
        process.log = log
        self.processes.append(process)
        return process

    def logs(self):
        return "\n".join(process.log.read_text() for process in self.processes)

    def get(self, url, *headers):
        """The status, or 0 where nobody answers, and the body."""
        given = [part for header in headers for part in ("-H", header)]
        asked = self.run("curl", "-s", "-m", "5", "-w", "\n%{http_code}", *given, url)
        body, _, status = asked.stdout.rpartition("\n")
        return int(status), body

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        ip("netns", "del", self.name)
        self.folder.cleanup()


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)
