"""How time and memory of the whole job grow with the log: a table, and the picture `benchmarks/growth.svg`.

    python benchmarks/growth.py [--millions 1 2 5 10 20 50] [--rounds 1]

A log of 50 M lines is 16 GB: each is generated, measured and removed again, unless it was there before.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from measure import Run, Subject, interleave, middle
from page import machine
from subjects import HERE, ingest, make_log

WIDTH, HEIGHT, EDGE, LABEL = 460, 300, 56, 50
Point = tuple[float, float]


def measure_sizes(millions: Sequence[float], rounds: int, where: Path) -> list[tuple[int, Run]]:
    """Lines and medians for each size."""
    found = []
    for million in sorted(millions):
        lines = int(million * 1_000_000)
        before = set((HERE / "data").iterdir())
        log = make_log(lines)
        subject = Subject(f"{lines:,} lines", ingest(log), lines, log.stat().st_size)
        try:
            found.append((lines, middle(interleave([subject], rounds, where)[subject.name])))
        finally:
            if log not in before:
                log.unlink()
    return found


def panel(left: int, title: str, unit: str, points: Sequence[Point]) -> list[str]:
    """One diagram as SVG elements: `points` (millions of lines, value) on axes from zero."""
    far, high = max(x for x, _ in points), max(y for _, y in points) * 1.15
    place: Callable[[Point], tuple[float, float]] = lambda point: (  # noqa: E731 - the two axes, side by side
        left + EDGE + point[0] / far * (WIDTH - 2 * EDGE),
        HEIGHT - EDGE - point[1] / high * (HEIGHT - 2 * EDGE),
    )
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, points))
    (x0, y0), (x1, y1) = place((0, 0)), place((far, high))
    marks = [
        f'<text x="{left + WIDTH / 2}" y="24" text-anchor="middle" font-weight="bold">{title}</text>',
        f'<path d="M{x0:.1f},{y1:.1f} V{y0:.1f} H{x1:.1f}" fill="none" stroke="#444"/>',
        f'<polyline points="{line}" fill="none" stroke="#1f6fb2" stroke-width="2"/>',
        f'<text x="{left + WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">million lines</text>',
    ]
    free = float("inf")  # to the left of the last label: one that would lie over another is left out
    for number, value in reversed(points):
        x, y = place((number, value))
        marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#1f6fb2"/>')
        marks.append(f'<text x="{x:.1f}" y="{y0 + 16:.1f}" text-anchor="middle" font-size="11">{number:g}</text>')
        if x + LABEL <= free:
            text = f"{value:,.0f} {unit}"
            marks.append(f'<text x="{x:.1f}" y="{y - 9:.1f}" text-anchor="middle" font-size="11">{text}</text>')
            free = x
    return marks


def picture(sizes: Sequence[tuple[int, Run]]) -> str:
    """Both diagrams as one SVG document."""
    seconds = [(lines / 1e6, run.wall) for lines, run in sizes]
    memory = [(lines / 1e6, run.peak) for lines, run in sizes]
    box = f'viewBox="0 0 {2 * WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{2 * WIDTH}" height="{HEIGHT}" fill="white"/>',
        *panel(0, "Time of the whole job", "s", seconds),
        *panel(WIDTH, "Peak memory", "MiB", memory),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Parse the arguments, measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 2, 5, 10, 20, 50])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--picture", type=Path, default=HERE / "growth.svg")
    options = parser.parse_args()
    (HERE / "data").mkdir(exist_ok=True)
    where = Path(tempfile.mkdtemp(dir=HERE / "data"))
    try:
        sizes = measure_sizes(options.millions, options.rounds, where)
    finally:
        shutil.rmtree(where)
    options.picture.write_text(picture(sizes), encoding="utf-8")
    print("\n".join(machine()))
    for lines, run in sizes:
        print(f"{lines:>12,} lines  {run.wall:8.2f} s  {lines / run.wall:>10,.0f} lines/s  peak {run.peak:5.0f} MiB")


if __name__ == "__main__":
    main()
