# SPDX-License-Identifier: Apache-2.0
"""What `nlbctl doctor` says, for the tests that make a network or a host ill in front of it."""

import json

import netns
from harness import check

EXIT_CODES = {"well": 0, "warnings": 1, "faults": 4}


class Opinion:
    """One run of the doctor at a node."""

    def __init__(self, cluster, node=1):
        done = cluster.nlbctl("--json", "doctor", node=node, check_exit=False)
        check(done.stdout, f"the doctor says nothing: exit {done.returncode}: {done.stderr}")
        self.code, self.said = done.returncode, json.loads(done.stdout)
        self.findings = {one["name"]: one for one in self.said["findings"]}
        severities = {one["severity"] for one in self.said["findings"]}
        worst = "faults" if "fault" in severities else "warnings" if severities else "well"
        check(self.code == EXIT_CODES[worst], f"exit {self.code} with {sorted(self.findings)}")

    def heard(self, sender, receiver):
        cells = [one["heard"] for one in self.said["matrix"] if (one["from"], one["to"]) == (sender, receiver)]
        return cells[0]

    def __str__(self):
        return json.dumps(self.said, indent=1)


def consult(cluster, expected, node=1, also=()):
    """The doctor finds exactly these, by name, and perhaps some of `also`; waits for what takes its time."""
    last = []

    def found():
        last[:] = [Opinion(cluster, node)]
        names = set(last[0].findings)
        return set(expected) <= names <= set(expected) | set(also)

    try:
        cluster.wait_until(found, f"the doctor finds {sorted(expected)}", seconds=40)
    except Exception:
        print(last[0] if last else "no opinion")
        raise
    return last[0]


def port(cluster, node, words):
    """`bridge link set` on the port of a node."""
    netns.run(cluster.switch, "bridge", "link", "set", "dev", cluster.label(node), *words.split())


def nft(namespace, rules):
    netns.run(namespace, "nft", rules)
