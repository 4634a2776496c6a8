"""One round: a load, and what it cost the process of a contestant."""

import json
import re
import subprocess
import time

from contestant import PATH, RELEASE
from processes import cpu_seconds, rss_bytes

FINISHED = re.compile(r"finished in .*?, ([\d.]+) req/s")
# What is "succeeded" for h2load may be a refusal.
GOOD = re.compile(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx")


class Requests:
    """The requests of a contestant in a file, as bench-load reads them."""

    def __init__(self, contestant, tokens, folder, paths=(PATH,)):
        self.contestant = contestant
        self.file = folder / f"{contestant.name}.requests"
        tokens = contestant.tokens or tokens
        count = max(len(tokens), len(paths))
        lines = (f"{paths[n % len(paths)]}\t{tokens[n % len(tokens)]}\n" for n in range(count))
        with self.file.open("w") as file:
            file.writelines(lines)

    def as_fast_as_it_can(self, count, connections=50):
        return self.load("--connections", connections, "--count", count)

    def at_rate(self, rate, seconds, connections=50):
        return self.load("--connections", connections, "--rate", rate, "--seconds", seconds)

    def load(self, *options):
        address = f"127.0.0.1:{self.contestant.port}"
        command = RELEASE / "bench-load", address, "--requests", self.file, *options
        return by_bench_load(self.contestant, command)


def over_http2(contestant, token, count):
    """10 connections with 10 requests each at a time, over TLS."""
    load = "-t", 1, "-c", 10, "-m", 10, "-n", count, "-H", f"authorization: Bearer {token}"
    command = "h2load", *load, f"https://127.0.0.1:{contestant.port}{PATH}"

    def parse(output):
        good, finished = GOOD.search(output), FINISHED.search(output)
        if not (good and finished) or "Application protocol: h2" not in output:
            raise SystemExit(f"{contestant.name}: h2load had other answers than 2xx:\n{output}")
        requests = int(good.group(1))
        return {"requests": requests, "errors": count - requests, "microseconds": count / float(finished.group(1)) * 1e6}

    return measured(contestant, command, parse)


def by_bench_load(contestant, command):
    """What it costs to open connections is left out."""
    command = list(map(str, command))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        if load.stdout.readline() != "ready\n":
            raise SystemExit(f"{contestant.name}: the load could not begin")
        before = cpu_seconds(contestant.pid)
        load.stdin.write("\n")
        load.stdin.flush()
        report = load.stdout.readline()
        spent, resident = cpu_seconds(contestant.pid) - before, rss_bytes(contestant.pid)
        load.stdin.close()
    if load.returncode:
        raise SystemExit(f"{contestant.name}: the load ended early")
    return with_cost(contestant, json.loads(report), spent) | {"rss": resident}


def measured(contestant, command, parse):
    before = cpu_seconds(contestant.pid)
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    spent = cpu_seconds(contestant.pid) - before
    if done.returncode:
        raise SystemExit(f"{contestant.name}: {done.stderr}")
    return with_cost(contestant, parse(done.stdout), spent)


def with_cost(contestant, figures, spent):
    if figures["errors"] or not figures["requests"]:
        raise SystemExit(f"{contestant.name}: not every request was answered well, so nothing was measured: {figures}")
    return figures | {
        "cpu_us": spent * 1e6 / figures["requests"],
        "requests_per_second": figures["requests"] * 1e6 / figures["microseconds"],
        "rss_peak": rss_bytes(contestant.pid, "VmHWM"),
    }


def interleaved(rounds, subjects, measure, processes, label):
    """Round after round, so that what else happens on the machine falls on all alike. The figures by name."""
    results = {name: [] for name in subjects}
    for number in range(1, rounds + 1):
        for name, subject in subjects.items():
            figures = measure(subject)
            processes.empty_logs()  # a line for each request
            results[name].append(figures)
            print(f"{label}, round {number}: {name:14} {figures['cpu_us']:8.2f} µs of CPU", flush=True)
        time.sleep(0.1)
    return results
