/** Style of the page. Colours are variables, so that dark is a second set and nothing else. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --card: #ffffff; --ink: #1b1f24; --soft: #5c6670; --line: #dfe3e6; --accent: #0b5cad;
  --held: #1a7f45; --failed: #9a5b00; --broken: #c02d1d;
  --none: #eef0f1; --plugged: #cfdce8; --lazy: #92b9dd; --free: #3f86c4; --used: #12406e;
  --offline: #9a86c4; --odds: #e0542b; --grid: rgba(255, 255, 255, .35);
  --c0: #0b5cad; --c1: #b35900; --c2: #1a7f45; --c3: #8a3ea8; --c4: #8c1d40; --c5: #4d5b66;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1c2024; --ink: #e7eaec; --soft: #9aa5ae; --line: #33393f; --accent: #79b5f2;
    --held: #5cc98a; --failed: #e5a84b; --broken: #ff7d6b;
    --none: #262b30; --plugged: #33475a; --lazy: #3f6d99; --free: #6fb0ea; --used: #d6ebff;
    --offline: #8f7cc0; --odds: #ff7448; --grid: rgba(0, 0, 0, .3);
    --c0: #79b5f2; --c1: #f0a35e; --c2: #5cc98a; --c3: #d08cf0; --c4: #ff8fab; --c5: #aab4bc;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .1rem 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: .95rem; margin: 1.2rem 0 .35rem; font-weight: 600; }
p { margin: .3rem 0; max-width: 70ch; }
.soft { color: var(--soft); }
.about p { color: var(--soft); }
code, pre, td.mono, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .85em; }
pre { overflow: auto; margin: 0; padding: .8rem; max-height: 26rem; }
.verdict { display: inline-block; padding: .1rem .6rem; border-radius: 1rem; color: var(--page); font-weight: 600; margin-bottom: .35rem; }
.verdict.held { background: var(--held); } .verdict.failed { background: var(--failed); } .verdict.broken { background: var(--broken); }
.facts { display: flex; flex-wrap: wrap; gap: .35rem 1.4rem; margin: .8rem 0 0; padding: 0; list-style: none; }
.facts b { font-weight: 600; } .facts span { color: var(--soft); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .9rem 1rem; margin: .5rem 0; }
.problem { border-left: .3rem solid var(--broken); } .problem.failed { border-left-color: var(--failed); }
.problem p { margin: 0; max-width: none; overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: .2rem 0 .6rem; padding: 0; list-style: none; font-size: .85rem; }
.legend svg { display: inline-block; width: .9rem; height: .9rem; vertical-align: -.12rem; margin-right: .35rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: .4rem 1.6rem; align-items: end; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: .85rem; color: var(--soft); margin-bottom: .2rem; }
svg { display: block; max-width: 100%; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg text.soft { fill: var(--soft); }
.cells { width: 100%; height: auto; border: 1px solid var(--line); border-radius: .2rem; }
.none { fill: var(--none); } .plugged { fill: var(--plugged); } .lazy { fill: var(--lazy); } .free { fill: var(--free); }
.used { fill: var(--used); } .offline { fill: var(--offline); } .odds { fill: var(--odds); }
.frame[hidden] { display: none; }
.scrub { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .8rem; }
.scrub input { flex: 1 1 14rem; accent-color: var(--accent); }
.scroll { overflow-x: auto; }
.scroll svg { max-width: none; }
.band { fill: none; stroke: var(--line); } .band.odd { fill: var(--none); fill-opacity: .45; }
.lane { stroke: var(--line); }
.bar { fill: var(--accent); } .bar.refused { fill: var(--failed); } .bar.passing { fill: var(--soft); } .bar:hover { fill: var(--ink); }
.mark { fill: var(--broken); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
.curve { fill: none; stroke-width: 1.75; stroke-linejoin: round; } .axis { stroke: var(--line); }
.by { margin: .2rem 0 .7rem; font-size: .85rem; } .by label { margin-right: 1rem; }
.by input { accent-color: var(--accent); }
#by-step:checked ~ .charts .time, #by-time:checked ~ .charts .step { display: none; }
table { border-collapse: collapse; font-size: .88rem; }
th, td { text-align: left; padding: .22rem .9rem .22rem 0; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th { color: var(--soft); font-weight: 500; } td.num, th.num { text-align: right; }
details { margin: .4rem 0; } summary { cursor: pointer; padding: .2rem 0; }
summary:focus-visible, input:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.bad { color: var(--broken); } .warn { color: var(--failed); } .good { color: var(--held); }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
@media print { .scrub, .by { display: none; } details > * { display: block; } }
`;
