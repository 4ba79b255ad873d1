"""The looks of the report: the window's design tokens as CSS, for light, dark and paper."""

STYLE = """
:root {
  --page: #ffffff; --card: #f5f6f8; --rule: #d5d9de; --text: #1d2329; --grey: #58616b; --accent: #1f5f99;
  --warn-page: #fff4dc; --warn-text: #6b4700;
  --teacher: #5b7a99; --student: #e69f00; --mlm: #0072b2; --kd: #009e73; --hidden: #7b4fa3; --validation: #d55e00;
  --embeddings: #56b4e9; --attention: #cc79a7; --feed-forward: #f0e442; --head: #8a939c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15191d; --card: #1f252b; --rule: #3a434c; --text: #e8ebee; --grey: #a7b0b9; --accent: #7db8ee;
    --warn-page: #3a2e10; --warn-text: #ffdc8a;
    --teacher: #8fabc7; --mlm: #4ba3dd; --kd: #2fc797; --hidden: #b48be0; --validation: #f08a3c;
  }
}
@media print {
  :root {
    --page: #ffffff; --card: #ffffff; --rule: #bbbbbb; --text: #000000; --grey: #444444; --accent: #000000;
    --warn-page: #ffffff; --warn-text: #000000;
    --teacher: #5b7a99; --mlm: #0072b2; --kd: #009e73; --hidden: #7b4fa3; --validation: #d55e00;
  }
  body { max-width: none; }
  figure, table { break-inside: avoid; }
  rect { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 24px 16px; max-width: 1040px; background: var(--page); color: var(--text);
  font: 13px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums;
}
h1 { font-size: 22px; margin: 0 0 4px; }
h2 { font-size: 16px; margin: 24px 0 8px; }
a { color: var(--accent); }
p { margin: 4px 0 8px; max-width: 75ch; }
.grey { color: var(--grey); }
.note { background: var(--warn-page); color: var(--warn-text); padding: 8px 12px; border-radius: 6px; }
.facts { display: flex; flex-wrap: wrap; gap: 12px; padding: 0; margin: 12px 0; list-style: none; }
.facts li { background: var(--card); border: 1px solid var(--rule); border-radius: 6px; padding: 8px 12px; }
.facts strong { display: block; font-size: 22px; font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 16px; }
figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 6px; padding: 8px; }
figcaption { font-weight: 600; padding: 0 4px 4px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; min-width: 50%; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--rule); text-align: start; vertical-align: top; }
th { color: var(--grey); font-weight: 600; }
td.number, th.number { text-align: end; white-space: nowrap; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--text); font: 12px system-ui, sans-serif; }
svg text.small { fill: var(--grey); font-size: 11px; }
svg path { fill: none; }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .band { fill: var(--rule); opacity: 0.3; }
svg .raw { stroke-width: 1; opacity: 0.35; }
svg .line { stroke-width: 2; stroke-linejoin: round; }
"""
