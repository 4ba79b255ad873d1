"""The looks of the report: the window's design tokens as CSS, for light, dark and paper."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import resources

SHADES = 5
"""Classes hit-1, miss-1 and so on, from a breath of colour to the darkest that text can be read on."""
_LIGHTEST, _DARKEST = 15, 50
"""Per cent of the colour in the first and the last of them; the rest is the page's."""


@cache
def style() -> str:
    """The page's style sheet."""
    tokens = tomllib.loads((Path(resources.__file__).parent / "theme.toml").read_text(encoding="utf-8"))
    return (
        f":root {{ {_variables(tokens['light'])} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_variables(tokens['dark'])} }} }}\n"
        + _RULES
        + "\n".join(_shades())
        + _PAPER
    )


def _variables(colours: Mapping[str, str]) -> str:
    return " ".join(f"--{name.replace('_', '-')}: {colour};" for name, colour in colours.items())


def _shades() -> list[str]:
    rules = []
    for step in range(1, SHADES + 1):
        share = round(_LIGHTEST + (_DARKEST - _LIGHTEST) * (step - 1) / (SHADES - 1))
        for kind, colour in (("hit", "head"), ("miss", "student")):
            mixed = f"color-mix(in srgb, var(--{colour}) {share}%, var(--page))"
            rules.append(f".{kind}-{step} {{ background: {mixed}; }}")
    return rules


_RULES = """
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 24px 16px; max-width: 1040px; background: var(--page); color: var(--text);
  font: 13px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
h1 { font-size: 22px; margin: 0 0 4px; }
h2 { font-size: 16px; margin: 32px 0 8px; padding-top: 8px; border-top: 1px solid var(--rule); }
h3 { font-size: 13px; margin: 24px 0 4px; }
a { color: var(--accent); }
p { margin: 4px 0 8px; max-width: 75ch; }
ul { margin: 4px 0 8px; padding-inline-start: 20px; }
.grey { color: var(--grey); }
.note { background: var(--warn-page); color: var(--warn-text); padding: 8px 12px; border-radius: 6px; }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 16px; padding: 0; list-style: none; }
nav a { display: inline-block; padding: 4px 0; }
.facts { display: flex; flex-wrap: wrap; gap: 12px; padding: 0; margin: 12px 0; list-style: none; }
.facts li { background: var(--card); border: 1px solid var(--rule); border-radius: 6px; padding: 8px 12px; }
.facts strong { display: block; font-size: 22px; font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 16px; }
figure {
  margin: 0 0 8px; background: var(--card); border: 1px solid var(--rule); border-radius: 6px; padding: 8px;
  max-width: 720px; overflow-x: auto;
}
figcaption { font-weight: 600; padding: 0 4px 4px; }
.scroll { overflow-x: auto; margin: 8px 0 12px; }
table { border-collapse: collapse; min-width: 50%; }
caption { text-align: start; font-weight: 600; padding: 4px 0; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--rule); text-align: start; vertical-align: top; }
th { font-weight: 400; overflow-wrap: break-word; }
thead th { color: var(--grey); font-weight: 600; vertical-align: bottom; }
td[dir] { min-width: 7.5em; }
td.number, th.number { text-align: end; }
td.number { white-space: nowrap; }
.texts tbody th { min-width: 24ch; max-width: 60ch; overflow-wrap: anywhere; }
.matrix { min-width: 0; font-size: 12px; }
.matrix caption { white-space: nowrap; font-size: 13px; }
.matrix th, .matrix td { padding: 4px 6px; }
.matrix thead th { min-width: 3em; max-width: 8em; text-align: end; }
.matrix tbody th, .matrix thead td { white-space: nowrap; max-width: 16em; overflow: hidden; text-overflow: ellipsis; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--text); font: 12px system-ui, sans-serif; }
svg text.small { fill: var(--grey); font-size: 11px; }
svg path { fill: none; }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .band { fill: var(--rule); opacity: 0.3; }
svg .raw { stroke-width: 1; opacity: 0.35; }
svg .line { stroke-width: 2; stroke-linejoin: round; }
@media (max-width: 640px) {
  body { font-size: 15px; padding: 12px; }
  svg { min-width: 560px; }
}
"""

_PAPER = """
@page { size: A4; margin: 16mm 14mm; }
@media print {
  :root {
    --page: #ffffff; --card: #ffffff; --text: #000000; --grey: #444444; --accent: #000000;
    --warn-page: #ffffff; --warn-text: #000000; color-scheme: light;
  }
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  h2, h3, caption, figcaption { break-after: avoid; }
  p, li, figure, tr, .note { break-inside: avoid; }
  p { orphans: 3; widows: 3; }
  table { break-inside: avoid; min-width: 0; font-size: 8.5pt; }
  table.long { break-inside: auto; }
  thead { display: table-header-group; }
  .scroll, figure { overflow: visible; }
  .note { border: 1px solid #000000; }
  .plots { display: block; }
  figure { max-width: 150mm; border: 0; padding: 0; }
  th, td { padding-inline-end: 8px; }
  .matrix { font-size: 7pt; }
  .matrix th, .matrix td { padding: 3px; }
  .matrix thead th { min-width: 0; }
  main a[href^="http"]::after { content: " (" attr(href) ")"; }
  rect, circle, path, td { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
