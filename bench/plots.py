"""The plots of docs/performance.md."""

import math
import statistics

from svg import Svg, steps

WIDTH, LEFT, ROW = 760, 130, 30


def cpu(contestants, file, title):
    """Bars of CPU time with the spread of the rounds; `contestants` are rounds by name."""
    figures = {name: [round["cpu_us"] for round in rounds] for name, rounds in contestants.items()}
    ticks = steps(max(map(max, figures.values())))
    plot = Svg(WIDTH, 70 + ROW * len(figures), title)
    plot.text(12, 24, title, "text title")
    bottom = 40 + ROW * len(figures)

    def x(value):
        return LEFT + value / ticks[-1] * (WIDTH - LEFT - 90)

    for tick in ticks:
        plot.line(x(tick), 38, x(tick), bottom)
        plot.text(x(tick), bottom + 18, f"{tick:g}", "quiet small", "middle")
    for number, (name, values) in enumerate(sorted(figures.items(), key=lambda item: statistics.median(item[1]))):
        y, median = 42 + ROW * number, statistics.median(values)
        plot.text(LEFT - 10, y + 16, name, "text", "end")
        plot.bar(LEFT, y, x(median) - LEFT, ROW - 8, style(name))
        plot.line(x(min(values)), y + 11, x(max(values)), y + 11, "whisker")
        plot.text(x(max(values)) + 8, y + 16, f"{median:.1f} µs", "text small")
    plot.write(file)


def latency(contestants, file, title):
    """The percentiles of each on one logarithmic axis."""
    keys = {"p50": "mark1", "p99": "mark2", "p999": "mark3"}
    figures = {
        name: {key: statistics.median(round[key] for round in rounds) / 1e3 for key in keys}
        for name, rounds in contestants.items()
    }
    values = [value for each in figures.values() for value in each.values()]
    low, high = math.log10(min(values)) - 0.1, math.log10(max(values)) + 0.1
    plot = Svg(WIDTH, 90 + ROW * len(figures), title)
    plot.text(12, 24, title, "text title")
    for number, (key, mark) in enumerate(keys.items()):
        plot.mark(LEFT + 80 * number, 42, mark)
        plot.text(LEFT + 80 * number + 10, 46, key.replace("999", "99.9"), "quiet small")
    bottom = 60 + ROW * len(figures)

    def x(value):
        return LEFT + (math.log10(value) - low) / (high - low) * (WIDTH - LEFT - 40)

    for tick in (digit * 10**power for power in range(-3, 4) for digit in (1, 2, 5)):
        if low <= math.log10(tick) <= high:
            plot.line(x(tick), 56, x(tick), bottom)
            plot.text(x(tick), bottom + 18, f"{tick:g} ms", "quiet small", "middle")
    for number, (name, each) in enumerate(sorted(figures.items(), key=lambda item: item[1]["p99"])):
        y = 72 + ROW * number
        plot.text(LEFT - 10, y + 4, name, "text", "end")
        plot.line(x(each["p50"]), y, x(each["p999"]), y)
        for key, mark in keys.items():
            plot.mark(x(each[key]), y, mark)
    plot.write(file)


def scaling(curves, file, title):
    """A small plot for each curve: what it depends on, logarithmic, to CPU time from zero on."""
    across, width, height = 3, 250, 190
    down = math.ceil(len(curves) / across)
    plot = Svg(across * width + 10, down * height + 40, title)
    plot.text(12, 24, title, "text title")
    for number, (name, points) in enumerate(curves.items()):
        panel(plot, 10 + number % across * width, 40 + number // across * height, width, height, name, points)
    plot.write(file)


def panel(plot, left, top, width, height, name, points):
    plot.text(left + 40, top + 14, name, "text small")
    ticks = steps(max(value for _, value in points))
    x0, x1, y0, y1 = left + 40, left + width - 20, top + height - 34, top + 26
    sizes = [math.log10(size) for size, _ in points]
    span = sizes[-1] - sizes[0] or 1

    def x(size):
        return x0 + (math.log10(size) - sizes[0]) / span * (x1 - x0)

    def y(value):
        return y0 - value / ticks[-1] * (y0 - y1)

    for tick in ticks:
        plot.line(x0, y(tick), x1, y(tick))
        plot.text(x0 - 6, y(tick) + 4, f"{tick:g}", "quiet small", "end")
    named = None
    for size, _ in points:
        # No number over another.
        if named is None or x(size) - named > 34:
            plot.text(x(size), y0 + 16, short(size), "quiet small", "middle")
            named = x(size)
    plot.curve([(x(size), y(value)) for size, value in points])
    for size, value in points:
        plot.mark(x(size), y(value), "ours")


def short(number):
    for unit, name in ((1_000_000, "M"), (1000, "k")):
        if number >= unit:
            return f"{number / unit:g}{name}"
    return f"{number:g}"


def style(name):
    return "ours" if name.startswith("wxgate") else "other"
