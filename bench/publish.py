"""Figures as tables, and into docs/performance.md with its plots."""

import json
import re
import statistics

import plots
from contestant import ROOT
from tables import made, named, scaling

PAGE = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "docs" / "performance"


def tables(report):
    return "\n\n".join([named(report), *made(report).values()])


def scaling_table(report):
    return f"{named(report)}\n\n{scaling(report)}"


def write(report):
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "figures.json").write_text(json.dumps(slim(report), indent=1) + "\n")
    put("machine", named(report))
    for name, table in made(report).items():
        put(name, table)
    if "http1" in report:
        found = report["http1"]["contestants"]
        full = {name: each["full"] for name, each in found.items() if name != "direct"}
        fixed = {name: each["fixed"] for name, each in found.items()}
        plots.cpu(full, FOLDER / "cpu.svg", "CPU time of the gateway for a request, HTTP/1.1")
        plots.latency(fixed, FOLDER / "latency.svg", f"Latency at {report['http1']['rate']:,.0f} requests a second, HTTP/1.1")
    if "http2" in report:
        plots.cpu(report["http2"], FOLDER / "http2.svg", "CPU time of the gateway for a request, TLS and HTTP/2")


def write_scaling(report):
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "scaling.json").write_text(json.dumps(slim(report), indent=1) + "\n")
    put("scaling-machine", named(report))
    put("scaling", scaling(report))
    names = {
        "routes": "routes", "apps": "apps", "logins": "apps, for a login", "sessions": "sessions, 1,000 in use",
        "active": "sessions, all in use", "connections": "connections", "cores": "workers",
    }
    curves = {
        title: [(int(size), statistics.median(round["cpu_us"] for round in rounds)) for size, rounds in report[curve].items()]
        for curve, title in names.items() if curve in report
    }
    plots.scaling(curves, FOLDER / "scaling.svg", "CPU time of wxgate for a request (µs), by the number of …")


def put(name, text):
    """Between its two marks in the page."""
    begin, end = f"<!-- {name}: made by bench/ -->\n", f"\n<!-- /{name} -->"
    page = PAGE.read_text()
    if begin not in page:
        raise SystemExit(f"{PAGE} has no place for {name}")
    PAGE.write_text(re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}{text}{end}", page, flags=re.S))


def slim(value):
    """No more digits than mean something."""
    if isinstance(value, dict):
        return {key: slim(each) for key, each in value.items()}
    if isinstance(value, list):
        return [slim(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
