"""Instructions of the parts of a request, counted by valgrind: the same on a busy machine and on a quiet one."""

import json
import platform
import re
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor

from contestant import ROOT

FILE = ROOT / "bench" / "instructions.json"
FEW, MANY = 50, 250
# The seeds of hash maps are others in each process.
TIMES = 3
REFERENCES = re.compile(r"I +refs: +([\d,]+)")


def measure():
    """Instructions of one iteration, by case."""
    binary = build()
    cases = subprocess.run([binary, "--list"], check=True, capture_output=True, text=True).stdout.split()

    def of_one(case):
        counts = ((count(binary, case, MANY) - count(binary, case, FEW)) / (MANY - FEW) for _ in range(TIMES))
        return round(statistics.median(counts))

    with ThreadPoolExecutor() as pool:
        return dict(zip(cases, pool.map(of_one, cases)))


def build():
    """benches/hot_path.rs, with dependencies as the tests have them, so that only wxgate is built again. In one unit: of several, a
    change anywhere decides anew what is put into which, and with it what is inlined."""
    off = (("incremental", "false"), ("debug-assertions", "false"), ("overflow-checks", "false"))
    profile = (("opt-level", 3), ("codegen-units", 1), *off)
    options = [option for key, value in profile for option in ("--config", f"profile.dev.package.wxgate.{key}={value}")]
    command = "cargo", "build", "--locked", "--bench", "hot_path", "--message-format=json-render-diagnostics", *options
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit("hot_path was not built")
    built = (json.loads(line) for line in done.stdout.splitlines())
    return next(each["executable"] for each in built if each.get("target", {}).get("name") == "hot_path")


def count(binary, case, iterations):
    tool = "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"
    done = subprocess.run([*tool, binary, case, str(iterations)], check=True, capture_output=True, text=True)
    return int(REFERENCES.search(done.stderr).group(1).replace(",", ""))


def compiler():
    """Another one makes other instructions of the same code."""
    version = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True, cwd=ROOT).stdout.split()[1]
    return f"rustc {version}, {platform.machine()}"


def committed():
    """The counts of the last commit, or none."""
    path = FILE.relative_to(ROOT)
    done = subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def write(counts):
    FILE.write_text(json.dumps({"compiler": compiler(), "instructions": counts}, indent=2) + "\n")
