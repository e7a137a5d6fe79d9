# SPDX-License-Identifier: Apache-2.0
"""Every key that --json prints is in nlbctl-json(5), and every key that is there is printed: of all that is read.

    client (the witness) --- bridge --- web1, web2

A key's place counts: what stands under an item of the page is what the value of that item holds.
"""

import json
import os
import re

import flows
import harness
import scrape
from configuration import RULES
from harness import VIP4, Cluster, check, main

PAGE = os.path.join(harness.SOURCE, "packaging/man/nlbctl-json.5")
WITNESS = 'witness = "192.0.2.254"'
HEALTH = '\nhealth = { type = "tcp", interval_ms = 200, timeout_ms = 100 }'
ELSEWHERE = {"uncovered": {"taken", "dropped", "reasons"}}  # "as of a rule"
OF_OTHERS = {"orders": {"state"}}  # what an item says of another one
PARTS = ("members", "rules", "counters", "problems")  # of status, with a section of their own
# Null here: test_announcement_follows_the_right_to_serve and test_nodes_change_by_reload compare them.
NOT_HERE = ("announce", "electorate")


def section(page, name):
    return page.split(f"\n.Ss {name}\n", 1)[1].split("\n.Ss ", 1)[0]


def words(line):
    """The names in a line of the page that is all names."""
    return {word for word in line.split()[1:] if re.fullmatch(r"\w+", word) and not word.isupper()} - {"Li", "It", "No"}


def documented(text):
    """key -> the keys below it, as the items say; what comes before the first item belongs to no key but the top."""
    found, current = {}, []
    for line in text.splitlines():
        if line.startswith(".It Li "):
            current = sorted(words(line))
            found |= {key: set() for key in current}
        elif line.startswith(".Li ") and current:
            for key in current:
                found[key] |= words(line)
        elif line.startswith(".Li "):
            found |= {key: set() for key in words(line)}
    return found


def below(value):
    """All keys at any depth below a value, except the names of reasons."""
    if isinstance(value, dict):
        return set(value) | {key for name, inner in value.items() if name != "reasons" for key in below(inner)}
    return {key for inner in value for key in below(inner)} if isinstance(value, list) else set()


def printed(value):
    """key -> the keys below it, of an object or of all objects of an array."""
    found = {}
    for one in value if isinstance(value, list) else [value]:
        for key, inner in one.items():
            found.setdefault(key, set()).update(below(inner))
    return found


def compare(name, page, value, leave_out=()):
    """What differs, a text each."""
    said, told = documented(section(page, name)), printed(value)
    wrong = []

    def same(where, wanted, found):
        if wanted != found:
            wrong.append(f"{where}: nlbctl-json(5) alone has {sorted(wanted - found)}, --json alone has {sorted(found - wanted)}")

    same(name, set(said), set(told))
    for key in (set(told) & set(said)) - set(leave_out):
        same(f"{name}, {key}", (said[key] | ELSEWHERE.get(key, set())) - OF_OTHERS.get(key, set()), told[key])
    return wrong


def compare_counters(page, value):
    """A counter is an item's word, and no key has anything below it."""
    said = {word for line in section(page, "counters").splitlines() if line.startswith(".Li ") for word in words(line)}
    return [] if said == set(value) else [f"counters: nlbctl-json(5) alone has {sorted(said - set(value))}, --json alone has "
                                          f"{sorted(set(value) - said)}"]


def test():
    with open(PAGE) as file:
        page = file.read().split("\n.Sh DESCRIPTION\n")[1].split("\n.Sh ")[0]
    rules = RULES.replace('name = "none"', 'name = "none"\nweights = { web1 = 50 }' + HEALTH)
    with Cluster(nodes=2, rules=rules, heartbeat=WITNESS, extra=scrape.LISTEN) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        flows.ask_tcp(cluster.client, flows.many(50, VIP4, 7001))

        def read(*command, check_exit=True):
            return json.loads(cluster.nlbctl("--json", *command, node=1, check_exit=check_exit).stdout)

        cluster.wait_until(lambda: read("status")["connections"]["total"] is not None, "connections are counted")
        wrong = compare("status", page, read("status"), leave_out=PARTS + NOT_HERE)
        for name in ("members", "rules"):
            wrong += compare(name, page, read(name))
        wrong += compare_counters(page, read("counters"))
        cluster.wait_until(lambda: any(one["view"] for one in read("events")), "an event of a view")
        wrong += compare("events", page, read("events"))
        wrong += compare("explain", page, read("explain", "tcp", "198.18.0.7:40000", f"{VIP4}:7001", "--flags", "syn"))
        cluster.terminate(2)  # so that the doctor finds something
        wrong += compare("doctor", page, read("doctor", check_exit=False))
        check(not wrong, "; ".join(wrong))


main(test)
