"""What the suite says of the cases, and whether that is good enough."""

import collections
import json
import re

GOOD = ["OK", "NON-STRICT", "INFORMATIONAL"]


def read(directory):
    """The reports of all cases in this directory and those below it, by their number."""
    reports = {}
    for path in sorted(directory.glob("**/*_case_*.json")):
        report = json.loads(path.read_text())
        reports[report["id"]] = report
    return reports


def judge(cases, reports):
    """Prints a line for each section and one for each case that has failed. Whether none has: a case without a report has."""
    sections, failed = {}, []
    for case in cases:
        verdict = worst(reports.get(case))
        sections.setdefault(int(case.split(".")[0]), collections.Counter())[verdict] += 1
        if verdict not in GOOD:
            failed.append(case)
    for section, counts in sorted(sections.items()):
        print(f"section {section:2}: {sum(counts.values()):3} cases: {describe(counts)}")
    for case in failed:
        report = reports.get(case, {})
        words = f"{report.get('result', 'no report')} {report.get('resultClose', '')}"
        plain = " ".join(re.sub(r"<[^>]*>", "", words).split())
        print(f"case {case}: {worst(reports.get(case))}: {plain[:200]}")
    total = sum(sections.values(), collections.Counter())
    print(f"{'FAILED' if failed else 'PASSED'}: {len(cases)} cases: {describe(total)}", flush=True)
    return not failed


def worst(report):
    if report is None:
        return "NOT RUN"
    both = [report["behavior"], report["behaviorClose"]]
    bad = [behavior for behavior in both if behavior not in GOOD]
    return bad[0] if bad else max(both, key=GOOD.index)


def describe(counts):
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items(), key=lambda item: -item[1]))
