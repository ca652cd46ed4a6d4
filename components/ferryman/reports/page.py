"""Self-contained HTML: one file, no script, nothing fetched, light and dark; every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #2a7d46; --bad: #b3372f; --mark: 46, 113, 189; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { border-bottom: 1px solid var(--line); padding: .25rem .7rem; text-align: right; }
td:first-child, th:first-child { text-align: left; } .note { opacity: .75; } .wide { overflow-x: auto; }
.good { color: var(--good); } .bad { color: var(--bad); } svg { max-width: 100%; height: auto; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole document of `parts`, which are HTML already."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f"{''.join(parts)}</body></html>\n"
    )


def heading(text: str) -> str:
    """A section's heading."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; `kind` is a class of the style above."""
    return f'<p class="{escape(kind)}">{escape(text)}</p>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def heat_table(names: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
    """A confusion matrix: rows are true classes, shaded by their share of the row."""
    top = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = []
    for name, row in zip(names, matrix, strict=True):
        total = max(1, sum(row))
        cells = "".join(f'<td style="background: rgba(var(--mark), {0.8 * n / total:.2f})">{n or ""}</td>' for n in row)
        body.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f'<div class="wide"><table><tr><th>true \\ predicted</th>{top}</tr>{"".join(body)}</table></div>'


def scatter(xs: Sequence[float], ys: Sequence[float], x_title: str, y_title: str) -> str:
    """Points over a common scale with the line on which both are equal."""
    low, high = min(*xs, *ys), max(*xs, *ys)
    span = (high - low) or 1.0
    size, edge = 420, 40

    def place(value: float) -> float:
        return edge + (value - low) / span * (size - 2 * edge)

    points = "".join(
        f'<circle cx="{place(x):.1f}" cy="{size - place(y):.1f}" r="2.5"/>' for x, y in zip(xs, ys, strict=True)
    )
    return (
        f'<svg viewBox="0 0 {size} {size}" width="{size}" role="img">'
        f'<line x1="{edge}" y1="{size - edge}" x2="{size - edge}" y2="{edge}" stroke="currentColor" opacity=".4"/>'
        f'<g fill="rgba(var(--mark), .6)">{points}</g>'
        f'<text x="{size / 2}" y="{size - 8}" text-anchor="middle" fill="currentColor">{escape(x_title)}</text>'
        f'<text x="14" y="{size / 2}" text-anchor="middle" fill="currentColor" transform="rotate(-90 14 {size / 2})">'
        f"{escape(y_title)}</text>"
        f'<text x="{edge}" y="{size - edge + 16}" fill="currentColor" font-size="11">{low:.4g}</text>'
        f'<text x="{size - edge}" y="{size - edge + 16}" text-anchor="end" fill="currentColor" font-size="11">{high:.4g}</text>'
        "</svg>"
    )
