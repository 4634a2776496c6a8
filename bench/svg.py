"""What plots are drawn with: shapes and texts, in colours that a light and a dark page both can carry."""

from xml.sax.saxutils import escape

# Its own background: a page that embeds it may be dark where the reader's system is light.
STYLE = """
  .page { fill: #ffffff } .text { fill: #1f2328 } .quiet { fill: #59636e } .line { stroke: #d1d9e0 }
  .ours { fill: #0969da } .other { fill: #8b949e } .whisker { stroke: #1f2328 } .curve { stroke: #0969da; fill: none }
  .mark1 { fill: #54aeff } .mark2 { fill: #0969da } .mark3 { fill: #bc4c00 }
  text { font: 13px system-ui, sans-serif } .title { font-weight: 600 } .small { font-size: 11px }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .text { fill: #e6edf3 } .quiet { fill: #9198a1 } .line { stroke: #3d444d }
    .ours { fill: #4493f8 } .other { fill: #7d8590 } .whisker { stroke: #e6edf3 } .curve { stroke: #4493f8 }
    .mark1 { fill: #a5d6ff } .mark2 { fill: #4493f8 } .mark3 { fill: #f0883e }
  }
"""


class Svg:
    def __init__(self, width, height, title):
        self.width, self.height, self.title = width, height, title
        self.shapes = []

    def text(self, x, y, text, style="text", anchor="start"):
        self.shapes.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{escape(text)}</text>')

    def bar(self, x, y, width, height, style):
        self.shapes.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2" class="{style}"/>')

    def line(self, x1, y1, x2, y2, style="line"):
        self.shapes.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>')

    def mark(self, x, y, style):
        self.shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="{style}"/>')

    def curve(self, points):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.shapes.append(f'<polyline points="{points}" class="curve" stroke-width="2"/>')

    def write(self, file):
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" role="img"'
        shapes = "\n".join(self.shapes)
        file.write_text(
            f'{head} width="{self.width}" height="{self.height}">\n<title>{escape(self.title)}</title>\n'
            f'<style>{STYLE}</style>\n<rect width="100%" height="100%" class="page"/>\n{shapes}\n</svg>\n'
        )


def steps(most):
    """Round values up to the largest, four or so."""
    for step in (10**power * digit for power in range(-2, 7) for digit in (1, 2, 2.5, 5)):
        if most / step <= 5:
            return [step * number for number in range(int(most / step) + 2)]
    return [0, most]
