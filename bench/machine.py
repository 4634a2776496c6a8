"""The machine that figures belong to."""

import os
import platform
import re
import subprocess
from pathlib import Path


def machine():
    model = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load_average": os.getloadavg()[0],
    }


def versions():
    """Of everything that takes part."""
    from contestant import RELEASE
    from peers import ENVOY

    commands = {
        "wxgate": (RELEASE / "wxgate", "--version"),
        "nginx": ("nginx", "-v"),
        "HAProxy": ("haproxy", "-v"),
        "Envoy": (ENVOY, "--version"),
        "Redis": ("redis-server", "--version"),
        "Node": ("node", "--version"),
    }
    found = {name: _version(command) for name, command in commands.items()}
    lock = (Path(__file__).resolve().parent.parent / "Cargo.lock").read_text()
    pingora = re.search(r'name = "pingora-core"\nversion = "(.*?)"', lock)
    return found | {"pingora": pingora.group(1) if pingora else None}


def _version(command):
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=10)
    except OSError:
        return None
    number = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
    return number.group() if number else None
