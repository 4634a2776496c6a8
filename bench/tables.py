"""Figures as tables of Markdown. A figure is the median of its rounds."""

from statistics import median

NAMES = {
    "direct": "no proxy (the upstream itself)",
    "nginx": "nginx, plain proxy",
    "haproxy": "HAProxy, JWT verified",
    "envoy": "Envoy, jwt_authn",
    "bare": "bare pingora",
    "wxgate": "**wxgate**",
    "wxgate-profiled": "wxgate, `make build-profiled`",
    "wxgate-quiet": "wxgate, no access log",
    "wxgate-redis": "wxgate, Redis",
    "wxgate-eddsa": "wxgate, Ed25519 tokens",
}


def made(report):
    """The tables of the parts that were measured, by part."""
    under_load = report.get("http1", {}).get("contestants", {})
    makers = {
        "http1": http1, "memory": lambda figures: memory(figures, under_load), "http2": http2, "logins": logins,
        "openings": openings,
    }
    return {name: make(report[name]) for name, make in makers.items() if name in report}


def named(report):
    machine, found = report["machine"], report["versions"]
    programs = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    return (
        f"{report['date']}, {machine['cores']} cores, {machine['cpu']}, Linux {machine['kernel']}, "
        f"load average {machine['load_average']:.1f} at the end.\n{programs}."
    )


def http1(figures):
    contestants = figures["contestants"]
    rows = [[
        "", "CPU µs a request", "÷ bare", "÷ HAProxy", "requests/s",
        f"p50 ms at {figures['rate']:,.0f}/s", "p99", "p99.9",
    ]]
    full = {name: each["full"] for name, each in contestants.items()}
    for name, each in contestants.items():
        latencies = [f"{middle(each['fixed'], key) / 1e3:.2f}" for key in ("p50", "p99", "p999")]
        rows.append([NAMES[name], *cost(full, name), *latencies])
    return markdown(rows)


def http2(figures):
    rows = [["", "CPU µs a request", "÷ bare", "÷ HAProxy", "requests/s"]]
    return markdown(rows + [[NAMES[name], *cost(figures, name)] for name in figures])


def cost(contestants, name):
    cpu = [round["cpu_us"] for round in contestants[name]]

    def ratio(other):
        if name == "direct" or other not in contestants:
            return ""
        return f"{median(cpu) / middle(contestants[other], 'cpu_us'):.2f}"

    rate = middle(contestants[name], "requests_per_second")
    return [f"{median(cpu):.1f} ({min(cpu):.1f} to {max(cpu):.1f})", ratio("bare"), ratio("haproxy"), f"{rate:,.0f}"]


def memory(figures, under_load):
    """`under_load` is the part `http1`, where it was measured."""
    rows = [["", "start to first answer, ms", "RSS at rest, MiB", "under load", "with idle connections", "KiB for each"]]
    for name, each in figures.items():
        idle, loaded = each["idle"], under_load.get(name)
        rows.append([
            NAMES[name], f"{median(each['start_up']):.0f}", f"{idle['rss_before'] / 2**20:.1f}",
            f"{middle(loaded['full'], 'rss') / 2**20:.1f}" if loaded else "",
            f"{idle['rss_after'] / 2**20:.1f} ({idle['connections']:,})", f"{idle['bytes_each'] / 1024:.1f}",
        ])
    return markdown(rows)


def logins(figures):
    return beside_node(figures, "logins")


def openings(figures):
    ours, theirs = (figures["alone"][name]["per_cpu_second"] for name in ("wxgate", "node"))
    alone = f"Without HTTP, one thread: {ours:,.0f} in a second by wxgate, {theirs:,.0f} by Node's crypto and JSON.parse."
    return f"{beside_node(figures['over_http'], 'openings')}\n\n{alone}"


def beside_node(figures, what):
    rows = [["", f"{what} in a second of CPU", "CPU µs for each", f"{what}/s", "most RSS, MiB"]]
    names = NAMES | {"node": "express, axios, jsonwebtoken on Node"}
    for name, rounds in figures.items():
        cpu = middle(rounds, "cpu_us")
        rate, rss = middle(rounds, "requests_per_second"), middle(rounds, "rss_peak") / 2**20
        rows.append([names[name], f"{1e6 / cpu:,.0f}", f"{cpu:.0f}", f"{rate:,.0f}", f"{rss:.0f}"])
    times = middle(figures["node"], "cpu_us") / middle(figures["wxgate"], "cpu_us")
    return f"{markdown(rows)}\n\n{times:.1f} times as many for the same CPU time."


CURVES = {
    "routes": "routes, requests to 1,000 of them",
    "apps": "apps, 1,000 users over them",
    "logins": "apps, logins in the last one",
    "sessions": "sessions, 1,000 of them in use",
    "active": "sessions, all of them in use in turn",
    "connections": "connections, the same load over all of them",
    "cores": "workers",
}


def scaling(report):
    rows = [["number of", "", "CPU µs a request", "÷ the first", "RSS, MiB", "requests/s"]]
    for curve, title in CURVES.items():
        points = report.get(curve, {})
        for size, rounds in points.items():
            cpu, first = middle(rounds, "cpu_us"), middle(next(iter(points.values())), "cpu_us")
            rss = middle(rounds, "rss") / 2**20
            rate = f"{middle(rounds, 'requests_per_second'):,.0f}"
            rows.append([title, f"{int(size):,}", f"{cpu:.1f}", f"{cpu / first:.2f}", f"{rss:.0f}", rate])
            title = ""
    return markdown(rows)


def middle(rounds, key):
    return median(round[key] for round in rounds)


def markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])
