"""The page of result."""
import collections
import html
import json
import os
import pathlib

import faults
import timeline
from node import ROOT

DEFINITE_SHARE = 0.9
Result = collections.namedtuple("Result", "wrong")

STYLE = """
body { font: 15px/1.45 Helvetica, Arial, sans-serif; margin: 2em auto; max-width: 1440px; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: 0.6em 0 1.6em; } th, td { border: 1px solid #ddd; padding: 3px 10px; text-align: left; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } code { background: #f3f3f3; padding: 1px 4px; }
.good { color: #1d7a3a; } .bad { color: #b3261e; } img { width: 100%; height: auto; border: 1px solid #e4e4e4; }
"""


def write(campaign, verdict):
    wrong = what_is_wrong(campaign, verdict)
    folder = campaign.folder
    (folder / "timeline.svg").write_text(timeline.draw(campaign), encoding="utf-8")
    (folder / "index.html").write_text(text(campaign, verdict, wrong), encoding="utf-8")
    told = dict(verdict, wrong=wrong, seed=campaign.options.seed, faults=len(campaign.made), fail_overs=campaign.leaders.fail_overs())
    (folder / "result.json").write_text(json.dumps(told, indent=1) + "\n")
    return Result(wrong)


def what_is_wrong(campaign, verdict):
    wrong = list(campaign.wrong)
    wrong += [f"{made.kind} at {made.target} did not take hold" for made in campaign.made if not made.evidence]
    if not campaign.made:
        wrong.append("no fault was made")
    if not verdict["clean"]:
        wrong += violations(verdict)
    if verdict["definite"] < DEFINITE_SHARE * verdict["operations"] or not verdict["operations"]:
        wrong.append(f"only {verdict['definite']} of {verdict['operations']} operations have a definite result")
    if not campaign.options.fences and not verdict.get("lost_updates"):
        wrong.append("without fences nothing was lost: the campaign is too gentle")
    return wrong


def violations(verdict):
    found = [f"{each['kind']} at {each['name']}: {each['message']}" for each in verdict.get("violations") or []]
    return found or [f"the history is not clean: {verdict.get('why') or 'the checker does not say why'}"]


def command(campaign):
    options = campaign.options
    words = ["make fault", f"MINUTES={options.seconds / 60:g}", f"SEED={options.seed}"]
    if options.members != 3:
        words.append(f"MEMBERS={options.members}")
    if options.kinds:
        words.append(f"KINDS='{options.kinds}'")
    if not options.fences:
        words.append("FENCES=off")
    return " ".join(words)


def text(campaign, verdict, wrong):
    parts = [f"<!doctype html><meta charset=utf-8><title>Faults, seed {campaign.options.seed}</title><style>{STYLE}</style>",
             f"<h1 class={'bad' if wrong else 'good'}>{'Not clean' if wrong else 'Clean'}</h1>"]
    if wrong:
        parts.append("<ul>" + "".join(f"<li class=bad>{html.escape(str(each))}</li>" for each in wrong) + "</ul>")
    parts += [f"<p>To repeat: <code>{command(campaign)}</code> (the same plan of faults; the timing of processes differs from run to run).</p>",
              table(["what", "how much"], summary(campaign, verdict)),
              "<h2>Timeline</h2><img src=timeline.svg alt='operations, latency, leaders and faults over time'>",
              "<h2>Faults</h2>", table(["kind", "made", "took hold", "for instance"], faults_by_kind(campaign)),
              "<h2>Latency, ms</h2><p>Of a lock with its wait in line; quiet: no fault was under way.</p>", table(["operation", "when", "count", "p50", "p90", "p99", "longest"], latency(campaign))]
    skipped = {**faults.skipped(campaign.missing), **{f"clients in {name}": why for name, why in campaign.clients.missing.items()}}
    parts += ["<h2>Skipped</h2>", table(["what", "why"], sorted(skipped.items())) if skipped else "<p>Nothing.</p>",
              "<h2>Kept beside this page</h2>", table(["file", "what"], kept(campaign.folder))]
    return "\n".join(parts) + "\n"


def table(heads, rows):
    def cell(value):
        kind = " class=n" if isinstance(value, (int, float)) else ""
        shown = f"{value:,}" if isinstance(value, int) else value if isinstance(value, str) else f"{value:,.1f}"
        return f"<td{kind}>{html.escape(shown)}</td>"

    head = "".join(f"<th>{html.escape(each)}</th>" for each in heads)
    return f"<table><tr>{head}</tr>" + "".join("<tr>" + "".join(map(cell, row)) + "</tr>" for row in rows) + "</table>"


def summary(campaign, verdict):
    operations, definite = verdict["operations"], verdict["definite"]
    rows = [("length", f"{(campaign.end_ns - campaign.begin_ns) / 60e9:.1f} minutes, {campaign.options.members} members, "
                       f"{len(campaign.clients.all)} client processes, fence check {'on' if campaign.options.fences else 'off'}"),
            ("operations", operations),
            ("with a definite result", f"{100 * definite / operations:.2f}%" if operations else "none"),
            ("locks granted", campaign.operations.count("lock", "ok")),
            ("fail-overs", campaign.leaders.fail_overs()),
            ("faults", len(campaign.made)),
            ("stale writes refused by the register", campaign.operations.count("write", "stale"))]
    wanted = (("acknowledged_updates", "updates of the register"), ("lost_updates", "of them lost"),
              ("first_lost_update", "the first that was lost"), ("partitions", "parts of the history that were checked"),
              ("largest_partition", "operations in the largest"), ("seconds", "seconds that the check took"))
    return rows + [(words, verdict[name]) for name, words in wanted if verdict.get(name) not in (None, "")]


def faults_by_kind(campaign):
    by_kind = collections.defaultdict(list)
    for made in campaign.made:
        by_kind[made.kind].append(made)
    return [(kind, len(all_made), sum(bool(made.evidence) for made in all_made), all_made[0].evidence or "it did not take hold")
            for kind, all_made in sorted(by_kind.items())]


def latency(campaign):
    """Of each operation, apart: with no fault under way, and under one."""
    spans = []
    for made in sorted(campaign.made, key=lambda each: each.begin_ns):
        if spans and made.begin_ns <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], made.end_ns))
        else:
            spans.append((made.begin_ns, made.end_ns))
    found = collections.defaultdict(list)
    operations = campaign.operations
    for end_ns, took_ns, kind in zip(operations.ends_ns, operations.took_ns, operations.kinds):
        under = timeline.within(spans, end_ns) or timeline.within(spans, end_ns - took_ns)
        found[operations.words[kind], "under a fault" if under else "quiet"].append(took_ns / 1e6)
    rows = []
    for (kind, when), times in sorted(found.items()):
        times.sort()
        rows.append((kind, when, len(times), *(float(times[min(len(times) - 1, int(len(times) * part))]) for part in (0.5, 0.9, 0.99, 1.0))))
    return rows


def kept(folder):
    what = {"plan.json": "the faults as they were drawn", "events.jsonl": "the faults as they were made",
            "leaders.jsonl": "who led, as the members said", "register.jsonl": "what was written", "result.json": "this page, for programs",
            "histories": "every operation of every client", "logs": "of the members, the clients and the register"}
    found = {path.name for path in pathlib.Path(folder).iterdir()}
    rows = [(name, words) for name, words in what.items() if name in found]
    return rows + [("here", os.path.relpath(folder, ROOT))]
