# SPDX-License-Identifier: Apache-2.0
"""The alert rules fire when they should, and they and the dashboard name no metric that the agent does not export.

The names of the metrics are taken from the source of the agent; test/net compares these with a live scrape.
"""

import json
import os
import re
import shutil
import subprocess
import sys

SOURCE = os.environ.get("NLBD_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(SOURCE, "test/net"))
import scrape  # noqa: E402

ALERTS = os.path.join(SOURCE, "etc/prometheus-alerts.yml")
DASHBOARD = os.path.join(SOURCE, "etc/grafana-dashboard.json")
CASES = os.path.join(SOURCE, "test/metrics/alerts.yml")
NAME = r"\b(?:nlbd|process)_[a-z_]+"
failures = []


def check(condition, message):
    if not condition:
        failures.append(message)


def read(path):
    with open(path) as file:
        return file.read()


def check_names(what, text):
    known = scrape.names_in_source()
    known |= {name + end for name in known for end in ("_bucket", "_sum", "_count")}
    named = set(re.findall(NAME, text))
    check(named, f"{what} names no metric at all")
    for name in sorted(named - known):
        check(False, f"{what} names {name}, which the agent does not export")


def check_dashboard():
    dashboard = json.loads(read(DASHBOARD))
    ids = [panel["id"] for panel in dashboard["panels"]]
    check(len(ids) == len(set(ids)), "two panels of the dashboard have one id")
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    check(len(expressions) > 20, "the dashboard asks for next to nothing")
    check_names("the dashboard", "\n".join(expressions))
    return expressions


def check_alerts():
    text = read(ALERTS)
    expressions = "\n".join(line for line in text.splitlines() if "summary:" not in line and "action:" not in line)
    check_names("the alerts", expressions.split("groups:")[1])
    alerts = re.findall(r"- alert: (\w+)", text)
    for part in ("summary:", "action:", "severity:"):
        check(text.split("groups:")[1].count(part) == len(alerts), f"not every alert has its {part}")
    cases = read(CASES)
    for alert in alerts:
        check(alert in cases, f"no test of {alert}")


def promtool(*arguments):
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=120)
    check(done.returncode == 0, f"promtool {' '.join(arguments)}: {done.stdout}{done.stderr}")


def check_expressions(expressions):
    """promtool reads a dashboard's expressions as recording rules; Grafana's variables become something plain."""
    rules = {"groups": [{"name": "dashboard", "rules": [
        {"record": f"panel:{i}", "expr": expr.replace("$__rate_interval", "1m").replace("$job", "web").replace("$", "")}
        for i, expr in enumerate(expressions)]}]}
    made = f"/tmp/nlb-dashboard-{os.getpid()}.yml"
    try:
        with open(made, "w") as file:
            json.dump(rules, file)
        promtool("check", "rules", made)
    finally:
        os.unlink(made)


expressions = check_dashboard()
check_alerts()
if shutil.which("promtool"):
    promtool("check", "rules", ALERTS)
    promtool("test", "rules", CASES)
    check_expressions(expressions)
for failure in failures:
    print("FAILED:", failure, file=sys.stderr)
if failures:
    sys.exit(1)
if not shutil.which("promtool"):
    print("skipped: promtool is not installed (packaging/install-dependencies test)")
    sys.exit(77)
