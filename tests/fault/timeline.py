"""The timeline as a picture (SVG): operations a second, latency, who leads, faults."""
import bisect
import math
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 1400, 170, 20
PANEL, ROW, GAP = 120, 16, 34
LANGUAGES = {"cpp": ("C++", "#1f6fb4"), "py": ("Python", "#d97a1a"), "go": ("Go", "#2a8f6f")}
MEMBERS = ["#4467b8", "#c2553d", "#3d9a5b", "#8d5bb0", "#b08a2e", "#3a9aa8", "#777777"]
OF_MEMBER, OF_CLIENT, OF_ALL = "#c0392b", "#7d8a2e", "#6c3483"
BINS = 500


class Drawing:
    """Shapes on a page whose x axis is the time of the run."""

    def __init__(self, begin_ns, end_ns):
        self.begin_ns, self.end_ns = begin_ns, max(end_ns, begin_ns + 1)
        self.parts, self.y = [], 30

    def x(self, at_ns):
        share = (min(max(at_ns, self.begin_ns), self.end_ns) - self.begin_ns) / (self.end_ns - self.begin_ns)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def text(self, x, y, words, anchor="start", size=11, colour="#333", weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
                          f'fill="{colour}">{escape(str(words))}</text>')

    def rect(self, x, y, width, height, colour, title="", opacity=1.0):
        inner = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}" '
                          f'fill-opacity="{opacity}">{inner}</rect>')

    def line(self, x1, y1, x2, y2, colour="#ddd", width=1):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>')

    def curve(self, points, colour, width=1.3):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"/>')

    def heading(self, words, keys=()):
        self.text(LEFT, self.y, words, size=13, weight="bold")
        x = LEFT + 8.2 * len(words) + 20
        for key, colour in keys:
            self.rect(x, self.y - 9, 10, 10, colour)
            self.text(x + 14, self.y, key)
            x += 30 + 7 * len(key)
        self.y += 10

    def time_axis(self):
        seconds = (self.end_ns - self.begin_ns) / 1e9
        step = next(s for s in (5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 10**9) if seconds / s <= 16)
        for at in range(0, int(seconds) + 1, step):
            x = self.x(self.begin_ns + at * 10**9)
            self.line(x, 40, x, self.y, "#e4e4e4")
            self.text(x, self.y + 14, f"{at // 60}:{at % 60:02}", "middle")
        self.text(LEFT - 24, self.y + 14, "time", "end")
        self.y += 24

    def svg(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.y:.0f}" width="{WIDTH}" height="{self.y:.0f}" '
                f'font-family="Helvetica, Arial, sans-serif"><rect width="100%" height="100%" fill="white"/>'
                + "\n".join(self.parts) + "</svg>\n")


def draw(campaign):
    drawing = Drawing(campaign.begin_ns, campaign.end_ns)
    axis_at = len(drawing.parts)
    draw_rates(drawing, campaign.operations)
    draw_latency(drawing, campaign.operations)
    draw_leaders(drawing, campaign.leaders.changes, sorted(campaign.place.peers))
    draw_faults(drawing, campaign.made)
    before = len(drawing.parts)
    drawing.time_axis()
    # Its lines lie beneath everything else.
    axis = drawing.parts[before:]
    del drawing.parts[before:]
    drawing.parts[axis_at:axis_at] = axis
    return drawing.svg()


def bin_ns(drawing):
    return max(10**9, (drawing.end_ns - drawing.begin_ns) // BINS)


def frame(drawing, marks):
    """A panel's lines across: marks are (share of the height, words)."""
    top = drawing.y
    for share, words in marks:
        y = top + PANEL * (1 - share)
        drawing.line(LEFT, y, WIDTH - RIGHT, y)
        drawing.text(LEFT - 8, y + 4, words, "end")
    drawing.y += PANEL + GAP
    return top


def draw_rates(drawing, operations):
    width_ns = bin_ns(drawing)
    bins = (drawing.end_ns - drawing.begin_ns) // width_ns + 1
    counts = {language: [0] * bins for language in LANGUAGES}
    languages = [word.partition("-")[0] for word in operations.words]
    for at_ns, client in zip(operations.ends_ns, operations.clients):
        if drawing.begin_ns <= at_ns <= drawing.end_ns and languages[client] in counts:
            counts[languages[client]][(at_ns - drawing.begin_ns) // width_ns] += 1
    rates = {language: [n * 1e9 / width_ns for n in each] for language, each in counts.items() if any(each)}
    top_rate = nice(max((max(each) for each in rates.values()), default=1))
    drawing.heading("Operations a second", [LANGUAGES[language] for language in rates])
    top = frame(drawing, [(share, f"{top_rate * share:.0f}") for share in (0, 0.5, 1)])
    for language, each in rates.items():
        drawing.curve([(drawing.x(drawing.begin_ns + int((i + 0.5) * width_ns)), top + PANEL * (1 - rate / top_rate))
                       for i, rate in enumerate(each)], LANGUAGES[language][1])


def nice(value):
    """The next round number."""
    power = 10 ** math.floor(math.log10(max(value, 1)))
    return next(power * step for step in (1, 2, 3, 4, 6, 8, 10) if power * step >= value)


def draw_latency(drawing, operations):
    """Of UNLOCK, which waits for nothing but the service."""
    wanted = operations.numbers.get("unlock")
    width_ns = bin_ns(drawing)
    bins = {}
    for at_ns, took_ns, kind in zip(operations.ends_ns, operations.took_ns, operations.kinds):
        if kind == wanted and drawing.begin_ns <= at_ns <= drawing.end_ns:
            bins.setdefault((at_ns - drawing.begin_ns) // width_ns, []).append(took_ns / 1e6)
    low, high = 0.1, 100_000.0

    def share(ms):
        return min(1.0, max(0.0, math.log(ms / low) / math.log(high / low)))

    shades = (("p50", 0.5, "#1f6fb4"), ("p99", 0.99, "#d97a1a"), ("longest", 1.0, "#c9c9c9"))
    drawing.heading("Latency of unlock", [(name, colour) for name, _, colour in shades])
    marks = ((0.1, "0.1 ms"), (1, "1 ms"), (10, "10 ms"), (100, "100 ms"), (1000, "1 s"), (10_000, "10 s"), (100_000, "100 s"))
    top = frame(drawing, [(share(ms), words) for ms, words in marks])
    columns = sorted((i, sorted(each)) for i, each in bins.items())
    for name, part, colour in reversed(shades):
        points = [(drawing.x(drawing.begin_ns + int((i + 0.5) * width_ns)),
                   top + PANEL * (1 - share(each[min(len(each) - 1, int(part * len(each)))]))) for i, each in columns]
        if name == "longest":
            for x, y in points:
                drawing.line(x, y, x, top + PANEL, "#e3e3e3", max(1.0, (WIDTH - LEFT - RIGHT) / BINS))
        drawing.curve(points, colour, 1.0 if name == "longest" else 1.3)


def draw_leaders(drawing, changes, members):
    drawing.heading("Who leads", [("leads", MEMBERS[0]), ("follows", "#e8ecf4"), ("silent", "#9a9a9a")])
    for at, member in enumerate(members):
        own = [change for change in changes if change["member"] == member]
        drawing.text(LEFT - 8, drawing.y + 11, f"member {member}", "end")
        ends = [change["at_ns"] for change in own[1:]] + [drawing.end_ns]
        for change, end_ns in zip(own, ends):
            colour = {"leader": MEMBERS[at], "silent": "#9a9a9a"}.get(change["role"], "#e8ecf4")
            x = drawing.x(change["at_ns"])
            drawing.rect(x, drawing.y, max(0.8, drawing.x(end_ns) - x), ROW - 3, colour, f"{member}: {change['role']}, term {change['term']}")
        drawing.y += ROW
    drawing.y += GAP - 8


def draw_faults(drawing, made):
    drawing.heading("Faults", [("at a member", OF_MEMBER), ("at a client", OF_CLIENT), ("at all members", OF_ALL)])
    kinds = sorted({fault.kind for fault in made}, key=lambda kind: min(f.begin_ns for f in made if f.kind == kind))
    for row, kind in enumerate(kinds):
        if row % 2 == 0:
            drawing.rect(LEFT, drawing.y, WIDTH - LEFT - RIGHT, ROW, "#f7f7f7")
        drawing.text(LEFT - 8, drawing.y + 12, kind, "end")
        for fault in (each for each in made if each.kind == kind):
            colour = OF_ALL if fault.target == "all" else OF_CLIENT if "-" in fault.target else OF_MEMBER
            x, end = drawing.x(fault.begin_ns), drawing.x(fault.end_ns)
            drawing.rect(x, drawing.y + 2, max(2.0, end - x), ROW - 4, colour, f"{kind} at {fault.target}: {fault.evidence}", 0.85)
            if end - x > 9 and len(fault.target) == 1:
                drawing.text((x + end) / 2, drawing.y + 12, fault.target, "middle", 10, "white")
        drawing.y += ROW
    drawing.y += 4


def within(spans, at_ns):
    """Whether one of these sorted spans that don't overlap has that time in it."""
    at = bisect.bisect_right(spans, (at_ns, math.inf)) - 1
    return at >= 0 and spans[at][0] <= at_ns <= spans[at][1]
