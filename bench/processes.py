"""Processes that the benchmark starts and ends, and what /proc knows of them."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_open_files():
    """Thousands of connections need as many files, here and in every process started from here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def tree(pid):
    """The process and all below it: nginx works in a child."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(_stat(entry.name)[1])
            except (FileNotFoundError, ProcessLookupError):
                pass  # ended between the listing and the reading
    found = [pid]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def cpu_seconds(pid):
    """User and system time of all threads, to the nanosecond: the clock that clock_getcpuclockid(3) names."""
    return sum(time.clock_gettime(~process << 3 | 2) for process in tree(pid))


def rss_bytes(pid, field="VmRSS"):
    """What is resident; with `VmHWM` the most that ever was."""
    total = 0
    for process in tree(pid):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                total += int(line.split()[1]) * 1024
    return total


def _stat(pid):
    """The fields of /proc/PID/stat from the state on; the name before them may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


class Processes:
    """Starts processes in a folder, and ends all of them when the `with` block is left."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(list(reversed(self.running)))

    def stop(self, pid):
        """Ends one of them."""
        stopped = [process for process in self.running if process.pid == pid]
        self.running = [process for process in self.running if process.pid != pid]
        end(stopped)

    def empty_logs(self):
        """They are written at their end, so that nothing is left where they were."""
        for log in self.folder.glob("*.log"):
            os.truncate(log, 0)

    def start(self, name, port, *command):
        """Returns the PID once the port accepts connections."""
        if not shutil.which(command[0]):
            raise SystemExit(f"{command[0]} is missing: `make bench` installs and builds what is needed")
        log = self.folder / f"{name}.log"
        with log.open("a") as output:
            process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.running.append(process)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return process.pid
            except OSError:
                time.sleep(0.02)
        raise SystemExit(f"{name} does not answer on port {port}:\n{log.read_text()[-2000:]}")


def end(processes):
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()  # a proxy's drain is not what is measured here
            process.wait()
