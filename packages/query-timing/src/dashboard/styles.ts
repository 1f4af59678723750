/** The page's style sheet. Colours are variables: one set for light, one for dark, chosen by the system or the switch. */
export const styles: string = `
:root {
  color-scheme: light dark;
  --wait: #e8930c; --send: #b65bc7; --database: #2f6fde; --after: #12a37a;
  --bg: #f6f7f9; --surface: #fff; --raised: #f1f3f6; --line: #e1e5ea; --line-strong: #cdd3db;
  --text: #1a1f26; --muted: #5b6572; --accent: #2b5fcc; --accent-soft: #e8effc;
  --error: #c22f2f; --error-soft: #fdecec; --warning: #8f5a00; --warning-soft: #fdf2dc; --info: #2b5fcc; --info-soft: #e8effc;
  --good: #0b7a5a; --good-soft: #e1f6ee; --keyword: #7a3fb5; --literal: #0b7a5a; --mark: #8f5a00;
  --shadow: 0 1px 2px rgb(20 30 45 / 6%), 0 1px 8px rgb(20 30 45 / 4%);
  --mono: ui-monospace, 'SF Mono', 'Cascadia Code', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
  --sans: ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif;
}
:root[data-theme='light'] { color-scheme: light; }
DARK
* { box-sizing: border-box; }
html { background: var(--bg); color: var(--text); font: 14px/1.5 var(--sans); -webkit-text-size-adjust: 100%; }
body { margin: 0; overflow-wrap: anywhere; }
h1, h2, h3, p, ul, ol, dl, dd, figure { margin: 0; padding: 0; }
ul, ol { list-style: none; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 2px; }
button, .button { font: inherit; color: var(--text); background: var(--surface); border: 1px solid var(--line-strong);
  border-radius: 7px; padding: 4px 11px; cursor: pointer; text-decoration: none; line-height: 1.4; display: inline-block; }
button:hover, .button:hover { background: var(--raised); }
button:disabled { opacity: .4; cursor: default; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.small { padding: 1px 9px; font-size: 12px; }
.danger { background: var(--error); border-color: var(--error); color: #fff; }
.danger:hover { background: var(--error); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.muted { color: var(--muted); }
.error { color: var(--error); }
.foot { max-width: 1480px; margin: 0 auto; padding: 0 20px 32px; display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 12.5px; color: var(--muted); }
.loading { padding: 48px 16px; text-align: center; color: var(--muted); }
code, .code { font-family: var(--mono); font-size: 12.5px; font-variant-ligatures: none; }

.top { position: sticky; top: 0; z-index: 5; display: flex; flex-wrap: wrap; align-items: center; gap: 8px 14px; padding: 9px 20px;
  background: color-mix(in srgb, var(--surface) 88%, transparent); backdrop-filter: blur(10px); border-bottom: 1px solid var(--line); }
.top h1 { display: flex; align-items: center; gap: 9px; font-size: 16px; font-weight: 650; letter-spacing: -.01em; max-width: 22em;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.logo { width: 20px; height: 20px; flex: none; }
.status { display: flex; align-items: center; gap: 10px; min-width: 0; }
.problem { color: var(--error); font-size: 13px; max-width: 48ch; }
.live { display: inline-flex; align-items: center; gap: 7px; border-radius: 99px; padding: 2px 11px; font-size: 12.5px; }
.dot { position: relative; width: 8px; height: 8px; border-radius: 50%; background: var(--muted); }
.live.live .dot, .polling .dot { background: var(--after); }
.lost .dot { background: var(--error); }
@media (prefers-reduced-motion: no-preference) {
  /* Moved by the compositor alone: nothing is painted anew for it. */
  .live.live .dot::after { content: ''; position: absolute; inset: 0; border-radius: 50%; background: var(--after); animation: pulse 2.4s ease-out infinite; will-change: transform, opacity; }
  @keyframes pulse { 0% { transform: scale(1); opacity: .5; } 70%, 100% { transform: scale(2.6); opacity: 0; } }
}
.search { flex: 1 1 200px; max-width: 420px; margin-left: auto; position: relative; }
.search input { width: 100%; font: inherit; color: inherit; background: var(--raised); border: 1px solid transparent; border-radius: 8px;
  padding: 5px 32px 5px 12px; }
.search input:focus { background: var(--surface); border-color: var(--accent); outline: 0; box-shadow: 0 0 0 3px var(--accent-soft); }
.search input::placeholder { color: var(--muted); }
kbd { position: absolute; right: 9px; top: 50%; transform: translateY(-50%); font: 11px var(--mono); color: var(--muted);
  border: 1px solid var(--line-strong); border-radius: 4px; padding: 0 5px; background: var(--surface); }
.search input:not(:placeholder-shown) + kbd, .search input:focus + kbd { display: none; }
.actions { display: flex; gap: 6px; align-items: center; }
.icon { min-width: 34px; text-align: center; padding: 4px 6px; }

main { max-width: 1480px; margin: 0 auto; padding: 18px 20px 64px; }
.totals { display: grid; grid-template-columns: 1fr 2fr 1fr 1fr; gap: 12px; margin-bottom: 18px; }
.tile, .panel { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; box-shadow: var(--shadow); }
.tile { padding: 13px 16px; position: relative; overflow: hidden; min-width: 0; }
.tile > b { display: block; font-size: 25px; line-height: 1.25; font-weight: 650; letter-spacing: -.02em; font-variant-numeric: tabular-nums; }
.label { font-size: 12px; color: var(--muted); font-weight: 550; }
.note { font-size: 12.5px; color: var(--muted); position: relative; }
.tile .legend { margin-top: 8px; }
.tile .bar { margin-top: 6px; }
.mini { position: absolute; right: 12px; top: 16px; width: 46%; height: 42px; opacity: .75; pointer-events: none; }
.mini .line-chart, .mini .line-chart svg { height: 100%; } .mini .legend, .mini .ceiling, .mini .grid-line { display: none; }

.bar { display: block; height: 10px; min-width: 2px; border-radius: 5px; print-color-adjust: exact; forced-color-adjust: none; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 12.5px; color: var(--muted); }
.legend li { display: flex; align-items: center; gap: 6px; white-space: nowrap; }
.legend b { color: var(--text); font-weight: 600; font-variant-numeric: tabular-nums; }
.swatch { width: 9px; height: 9px; border-radius: 3px; flex: none; print-color-adjust: exact; forced-color-adjust: none; }

.tabs { display: flex; gap: 2px; overflow-x: auto; border-bottom: 1px solid var(--line); margin-bottom: 16px; scrollbar-width: none; }
.tab { border: 0; background: none; border-radius: 8px 8px 0 0; padding: 8px 13px 9px; color: var(--muted); font-weight: 550; white-space: nowrap;
  border-bottom: 2px solid transparent; margin-bottom: -1px; }
.tab:hover { color: var(--text); background: var(--raised); }
.tab[aria-selected='true'] { color: var(--text); border-bottom-color: var(--accent); }
.tab:focus-visible { outline-offset: -3px; }
.count { margin-left: 7px; font-size: 11.5px; padding: 0 7px; border-radius: 99px; background: var(--raised); color: var(--muted);
  font-variant-numeric: tabular-nums; }
.tab[aria-selected='true'] .count { background: var(--accent-soft); color: var(--accent); }

.badge { display: inline-block; font-size: 11.5px; line-height: 17px; font-weight: 550; padding: 0 7px; border-radius: 5px; background: var(--raised);
  color: var(--muted); white-space: nowrap; max-width: 26em; overflow: hidden; text-overflow: ellipsis; vertical-align: middle; }
.badge.error { background: var(--error-soft); color: var(--error); }
.badge.warning { background: var(--warning-soft); color: var(--warning); }
.badge.info, .badge.tx { background: var(--info-soft); color: var(--info); }
.badge.good, .badge.proved { background: var(--good-soft); color: var(--good); }
.badge.proved::before { content: '✓ '; }
.chips { display: flex; flex-wrap: wrap; gap: 6px; margin-bottom: 14px; }
.chip { border-radius: 99px; padding: 2px 12px; font-size: 13px; color: var(--muted); }
.chip b { margin-left: 6px; font-weight: 600; }
.chip[aria-pressed='true'] { background: var(--accent-soft); border-color: var(--accent); color: var(--accent); }
.site { border: 0; background: none; padding: 0 2px; font-family: var(--mono); font-size: 12.5px; color: var(--accent); text-align: left;
  overflow-wrap: anywhere; }
.site:hover { background: none; text-decoration: underline; }
.site .function { color: var(--muted); }
.copied { margin-left: 8px; color: var(--good); font-family: var(--sans); }

.cards { display: grid; gap: 12px; margin-bottom: 16px; }
.card { background: var(--surface); border: 1px solid var(--line); border-left: 3px solid var(--line-strong); border-radius: 12px;
  padding: 14px 18px; box-shadow: var(--shadow); display: grid; grid-template-columns: minmax(0, 1fr); gap: 9px; }
.card.error { border-left-color: var(--error); color: inherit; }
.card.warning { border-left-color: var(--wait); }
.card.info { border-left-color: var(--accent); }
.card header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 10px; }
.card h3 { font-size: 15px; font-weight: 600; flex: 1 1 22em; line-height: 1.4; }
.price { display: flex; flex-wrap: wrap; gap: 0 10px; align-items: baseline; font-size: 12.5px; color: var(--muted); }
.price b { font-size: 15px; color: var(--text); font-variant-numeric: tabular-nums; }
.price span:not(:last-child)::after, .price b:not(:last-child)::after { content: '·'; margin-left: 10px; color: var(--muted); font-weight: 400; font-size: 12.5px; }
.places { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; }
.places .button { padding: 1px 9px; font-size: 12px; }
.places:empty { display: none; }
.card footer { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; }
.card footer:empty { display: none; }
.parent { display: flex; flex-wrap: wrap; gap: 2px 8px; align-items: baseline; font-size: 13px; }
.card-body { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 9px 12px; align-items: start; }
.card-body:empty { display: none; }
.subject code { color: var(--muted); }
.fix { border: 1px solid color-mix(in srgb, var(--good) 30%, var(--line)); border-radius: 9px; overflow: hidden; }
.fix-head { display: flex; justify-content: space-between; align-items: center; padding: 4px 6px 4px 13px; background: var(--good-soft); color: var(--good); }
.fix .code { border: 0; border-radius: 0; }
details summary { cursor: pointer; color: var(--muted); font-size: 13px; width: fit-content; }
.evidence { margin: 6px 0 0 18px; list-style: disc; font-size: 13px; color: var(--muted); }

.code { background: var(--raised); border-radius: 9px; padding: 9px 13px; margin: 0; overflow: auto; max-height: 320px; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 2; }
.sql .keyword { color: var(--keyword); } .sql .text, .sql .number { color: var(--literal); } .sql .mark { color: var(--mark); font-weight: 600; } .sql .comment { color: var(--muted); }
.line { display: inline-block; max-width: min(100%, 110ch); min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--muted); vertical-align: bottom; }
.second { display: flex; gap: 0 14px; font-size: 12px; margin-top: 1px; min-width: 0; }
.second code, .second .site { font-size: 12px; }
.second code { flex: 0 1 auto; } .second .site { flex: 0 0 auto; max-width: calc(100% - 7em); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.parameters { display: block; font: 11.5px var(--mono); color: var(--muted); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 60ch; }

.scroll { overflow-x: auto; background: var(--surface); border: 1px solid var(--line); border-radius: 12px; box-shadow: var(--shadow); }
.panel .scroll { box-shadow: none; border-radius: 9px; margin-top: 10px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
caption.shown { position: static; width: auto; height: auto; clip-path: none; text-align: left; font-weight: 600; font-size: 14px; padding: 0 0 6px; }
th, td { text-align: left; padding: 7px 11px; vertical-align: top; border-bottom: 1px solid var(--line); }
td { overflow-wrap: break-word; max-width: 44ch; } td.wide { overflow-wrap: anywhere; }
tbody tr:last-child > * { border-bottom: 0; }
th { font-weight: 550; color: var(--muted); font-size: 12px; white-space: nowrap; background: var(--surface); }
/* Columns do not change with the rows that happen to be drawn. */
.fixed { table-layout: fixed; }
.fixed th { width: 96px; } .fixed th.share { width: 158px; } .fixed th.chart { width: 118px; } .fixed th.split { width: 236px; } .fixed th.short { width: 190px; }
.fixed th.wide, .fixed th.timeline { width: auto; }
.queries th { width: 78px; } .queries th.place { width: 48px; }
.folded td { padding: 0; border: 0; }
th.share, td.share, th.number, td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.wide { max-width: none; }
.plan td.wide { width: 100%; max-width: 0; } td.wide > .name, td.wide > b { margin-right: 4px; }
td.number .badge { margin-left: 6px; }
td.chart, td.split { vertical-align: middle; }
.sort { border: 0; background: none; padding: 0; color: inherit; font: inherit; border-radius: 3px; }
.sort:hover { color: var(--text); background: none; }
.arrow { display: inline-block; width: 1.1em; text-align: center; opacity: .35; }
[aria-sort] .arrow { opacity: 1; color: var(--accent); }
tr.opens { cursor: pointer; }
tr.opens:hover > *, .queries tbody tr:hover > * { background: var(--raised); }
tr.bad > :first-child { box-shadow: inset 3px 0 var(--error); }
tr:focus { outline: 2px solid var(--accent); outline-offset: -2px; }
.name { font-weight: 600; color: var(--text); text-decoration: none; }
.name:hover { text-decoration: underline; color: var(--accent); }
.track { display: block; height: 10px; border-radius: 5px; background: var(--raised); }
.length { display: block; min-width: 3px; }
.share-bar { display: inline-flex; align-items: center; gap: 8px; justify-content: flex-end; }
.share-bar > span:last-child { min-width: 4.4em; }
.share-track { width: 64px; height: 7px; border-radius: 4px; background: var(--raised); overflow: hidden; }
.share-track i { display: block; height: 100%; background: var(--accent); border-radius: 4px; }
.spark { width: 84px; height: 20px; display: block; fill: var(--accent); opacity: .8; }
.more { padding: 14px; text-align: center; color: var(--muted); }
td.short { white-space: nowrap; }
.empty { text-align: center; padding: 56px 20px; color: var(--muted); background: var(--surface); border: 1px dashed var(--line-strong); border-radius: 12px; }
.empty-title { font-size: 16px; font-weight: 600; color: var(--text); margin-bottom: 6px; }
.empty .code { display: inline-block; text-align: left; margin-top: 14px; }
.empty button { margin-top: 10px; }

.detail { display: grid; gap: 14px; grid-template-columns: minmax(0, 1fr); }
.back { display: flex; align-items: center; gap: 10px; }
.title { font-size: 19px; font-weight: 650; letter-spacing: -.01em; }
.title:focus { outline: 0; }
.title .badge { margin-right: 5px; letter-spacing: 0; }
.panel { padding: 14px 18px; min-width: 0; }
.panel h3, .pool h3 { font-size: 14px; font-weight: 600; margin-bottom: 10px; }
.columns-2 { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 14px; margin-top: 14px; align-items: start; }
.detail .columns-2 { margin-top: 0; }
.facts { display: flex; flex-wrap: wrap; gap: 8px 30px; margin-bottom: 10px; }
.fact dt { font-size: 12px; color: var(--muted); } .fact dd { font-weight: 600; font-variant-numeric: tabular-nums; font-size: 15px; }
.pool, .stack { display: grid; grid-template-columns: minmax(0, 1fr); gap: 14px; }
.stack > .columns-2 { margin-top: 0; }

.picture { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; padding: 8px 16px 14px; margin-bottom: 12px; box-shadow: var(--shadow); }
.axis { position: relative; height: 20px; font-size: 11px; color: var(--muted); font-weight: 400; }
.axis span { position: absolute; padding-left: 4px; white-space: nowrap; }
.lanes { position: relative; max-height: 360px; overflow: hidden auto; padding-top: 3px; }
.grid { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--line); pointer-events: none; }
.brackets, .bars { position: relative; }
.bracket { position: absolute; height: 18px; border: 1.5px solid var(--accent); border-bottom: 0; border-radius: 5px 5px 0 0; min-width: 3px; overflow: hidden; }
.bracket span { font-size: 11px; line-height: 15px; padding: 0 6px; color: var(--accent); white-space: nowrap; display: block; overflow: hidden; text-overflow: ellipsis; }
.rolled-back { border-color: var(--error); border-style: dashed; } .rolled-back span { color: var(--error); }
.query { position: absolute; height: 13px; min-width: 3px; border-radius: 3px; print-color-adjust: exact; forced-color-adjust: none; }
.bars .query { cursor: pointer; } .bars .query:hover { box-shadow: 0 0 0 2px var(--surface), 0 0 0 3.5px var(--text); z-index: 1; }
.query.failed { box-shadow: 0 0 0 1.5px var(--error); }
td.timeline, th.timeline { position: relative; padding-left: 0; padding-right: 0; }
td.timeline .query { top: 50%; transform: translateY(-50%); }

.plan { --step: 20px; }
.plan td.wide { padding-left: calc(11px + var(--depth) * var(--step)); min-width: 260px; 
  background-image: repeating-linear-gradient(to right, transparent 0 calc(var(--step) - 2px), var(--line) calc(var(--step) - 2px) calc(var(--step) - 1px), transparent calc(var(--step) - 1px) var(--step)); background-size: calc(var(--depth) * var(--step)) 100%; background-repeat: no-repeat; }
.node-head { display: flex; flex-wrap: wrap; gap: 3px 8px; align-items: baseline; }
.fold, .leaf { width: 20px; padding: 0; text-align: center; border: 0; background: none; color: var(--muted); }
.remark { color: var(--warning); font-size: 12.5px; padding-left: 28px; } .remark::before { content: '▲ '; font-size: 10px; }
.node-details { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0 10px; padding-left: 28px; font-size: 12px; color: var(--muted); }
.node-details code { font-size: 12px; }
.plan td.number { position: relative; } .heat { position: absolute; right: 6px; top: 5px; height: 22px; background: var(--wait); opacity: .22; border-radius: 4px; max-width: calc(100% - 12px); print-color-adjust: exact; }
.worst .heat { opacity: .42; } .plan td.number span:not(.heat) { position: relative; }

.line-chart { position: relative; } .line-chart svg { display: block; width: 100%; height: 150px; overflow: visible; } .line-chart .legend { margin-top: 8px; }
.stroke { fill: none; stroke-width: 1.8; vector-effect: non-scaling-stroke; stroke-linejoin: round; } .area { opacity: .16; }
.grid-line { stroke: var(--line); vector-effect: non-scaling-stroke; } .ceiling-line { stroke: var(--error); stroke-dasharray: 5 4; vector-effect: non-scaling-stroke; }
.ceiling { position: absolute; top: -2px; right: 0; font-size: 11px; color: var(--muted); background: var(--surface); padding: 0 4px; border-radius: 4px; }
.gauge { display: flex; flex-wrap: wrap; gap: 4px; margin-bottom: 14px; }
.slot { width: 18px; height: 18px; border-radius: 5px; border: 1.5px solid var(--line-strong); print-color-adjust: exact; }
.slot.used { background: var(--database); border-color: var(--database); } .slot.idle { background: color-mix(in srgb, var(--database) 22%, transparent); border-color: var(--database); }
.slot.free { border-style: dashed; } .slot.waiting { background: var(--wait); border-color: var(--wait); border-radius: 50%; }
.counts { max-width: 640px; } .counts th { font-size: 13px; color: var(--text); white-space: normal; background: none; } .counts th, .counts td { padding: 5px 8px 5px 0; }

.distribution .columns { position: relative; display: flex; align-items: flex-end; gap: 1px; height: 110px; margin-bottom: 3px; border-bottom: 1px solid var(--line-strong); }
.column { flex: 1; height: 100%; display: flex; align-items: flex-end; } .column i { width: 100%; background: var(--accent); opacity: .8; border-radius: 2px 2px 0 0; } .column:hover i { opacity: 1; }
.distribution .mark { position: absolute; top: 0; bottom: 0; border-left: 1.5px dashed var(--error); pointer-events: none; } .distribution .mark span { font-size: 10.5px; color: var(--error); padding-left: 3px; background: var(--surface); }
.distribution .mark:nth-last-child(2) span { position: relative; top: 14px; } .distribution .mark:nth-last-child(1) span { position: relative; top: 28px; }
.ends { display: flex; justify-content: space-between; font-size: 11px; color: var(--muted); margin-bottom: 12px; }

.tooltip { position: fixed; z-index: 20; max-width: min(460px, calc(100vw - 16px)); max-height: 60vh; overflow: hidden; padding: 7px 11px; border-radius: 8px; font-size: 12.5px; line-height: 1.5;
  background: #14181e; color: #e9edf2; border: 1px solid #38414c; box-shadow: 0 6px 24px rgb(0 0 0 / 28%); pointer-events: none; overflow-wrap: anywhere; }
.tooltip[hidden] { display: none; }

@media (max-width: 1180px) { .rank-3, .mini { display: none; } }
@media (max-width: 820px) {
  .rank-2 { display: none; }
  .totals { grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 8px; } .broad { grid-column: 1 / -1; grid-row: 1; }
  .chips { flex-wrap: nowrap; overflow-x: auto; scrollbar-width: none; margin-inline: -12px; padding: 2px 12px; } .chip { flex: none; }
  .top { padding: 8px 12px; } main { padding: 12px 12px 48px; }
  .search { order: 9; flex-basis: 100%; max-width: none; }
  .actions { margin-left: auto; }
  th, td { padding: 7px 8px; } .fixed { min-width: 320px; } .fixed th { width: 76px; } .fixed th.share { width: 78px; }
  .share-track { display: none; } .share-bar > span:last-child { min-width: 0; }
  th.timeline .axis span:nth-child(even) { display: none; }
  .axis span:nth-child(even) { display: none; }
  .card { padding: 12px 13px; } .line { max-width: 100%; }
}
@media (max-width: 480px) {
  .actions .button { display: none; } .tile > b { font-size: 21px; } .tile { padding: 10px 12px; } .mini { display: none; }
  .plan { --step: 9px; } .node-details { grid-template-columns: minmax(0, 1fr); padding-left: 20px; } .remark { padding-left: 20px; }
  .second code { display: none; } .second .site { max-width: 100%; } .note { font-size: 11.5px; }
}
@media print {
  .top { position: static; } .actions, .search, .tabs, .status, .more, .chips, .back, .small { display: none; }
  .scroll, .lanes, .code { overflow: visible; max-height: none; } .card, .panel, .tile, tr { break-inside: avoid; box-shadow: none; }
}
`.replace('DARK', darkRules());

/** The same twice: as the system says, and as the switch says. */
function darkRules(): string {
  const dark = `
  --wait: #f2ab3c; --send: #cf8fdd; --database: #5e95f7; --after: #31c79b;
  --bg: #0e1116; --surface: #161a20; --raised: #1f252d; --line: #272e37; --line-strong: #3a434f;
  --text: #e6eaf0; --muted: #98a3b0; --accent: #82a9ff; --accent-soft: #1d2b47;
  --error: #ff7b7b; --error-soft: #3a1f22; --warning: #f0bb62; --warning-soft: #382c17; --info: #82a9ff; --info-soft: #1d2b47;
  --good: #4fd1a5; --good-soft: #143529; --keyword: #c79bf2; --literal: #4fd1a5; --mark: #f2ab3c;
  --shadow: none;`;
  return `
@media (prefers-color-scheme: dark) { :root:not([data-theme='light']) {${dark} } }
:root[data-theme='dark'] { color-scheme: dark;${dark} }
:root[data-theme='dark'] .danger { color: #1a0505; }
@media (prefers-color-scheme: dark) { :root:not([data-theme='light']) .danger { color: #1a0505; } }`;
}
