# SPDX-License-Identifier: Apache-2.0
"""Commands for other nodes and for all, given on any node; a node that does not answer is named.

    client --- bridge --- web1, web2, web3
"""

import json
import re
import time

import flows
from harness import VIP4, Cluster, check, main
from owners import check_tcp, spread


def give(cluster, node, *words, code=0):
    """A command on a node, with --json: {name: code}."""
    done = cluster.nlbctl("--json", *words, node=node, check_exit=False)
    check(done.returncode == code, f"nlbctl {' '.join(map(str, words))}: exit {done.returncode}, not {code}: {done.stderr}")
    return {one["name"]: one["code"] for one in json.loads(done.stdout)["nodes"]} if done.stdout else {}


def state(cluster, node):
    return cluster.status(node)["state"]


def weights(cluster, node):
    return [member["weight"] for member in cluster.status(node)["members"]]


def buckets(cluster, node, rule):
    return {one["name"]: one["buckets"] for one in cluster.status(node)["rules"]}[rule]


def log_of(cluster, node):
    with open(cluster.log_file(node)) as file:
        return file.read()


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])

        # One other node, by name and by id. What takes a node out returns when it is out; idempotent.
        for _ in range(2):
            check(give(cluster, 1, "stop", "web3") == {"web3": "done"}, "stop web3")
            check(state(cluster, 3) == "stopped", "stop has returned before web3 was out")
        give(cluster, 2, "start", 3)
        cluster.wait_active([1, 2, 3])
        give(cluster, 1, "stop", "web9", code=4)
        give(cluster, 1, "weight", "web2", "101", code=2)

        # All, from each.
        for node in cluster.ids:
            check(give(cluster, node, "stop", "all") == dict.fromkeys(["web1", "web2", "web3"], "done"), "stop all")
            check([state(cluster, one) for one in cluster.ids] == ["stopped"] * 3, "not all have stopped")
            give(cluster, node, "start", "all")
            cluster.wait_active([1, 2, 3])

        # What is ordered is in force where the command returns.
        for node in cluster.ids:
            give(cluster, 2, "weight", node, 50)
            check(weights(cluster, node)[node - 1] == 50, f"weight 50 has returned before web{node} had it")
            give(cluster, 3, "weight", node, "default")
            check(weights(cluster, node)[node - 1] == 100, f"weight default has returned before web{node} had it")
            give(cluster, 1, "disable", "single", node)
            check(buckets(cluster, node, "single") == 0, f"disable has returned while web{node} had buckets")
            give(cluster, 2, "enable", "single", node)
            check(buckets(cluster, node, "single") > 0, f"enable has returned before web{node} had buckets")

        # Weights of two, seen by all.
        give(cluster, 3, "weight", "web1", 0)
        give(cluster, 3, "weight", "2", 50)
        cluster.wait_until(lambda: weights(cluster, 2) == [0, 50, 100], "the weights are as ordered")
        cluster.wait_active([1, 2, 3])
        shares = spread(check_tcp(cluster, flows.many(900, VIP4, 7001)))
        check(set(shares) == {"web2", "web3"} and abs(shares["web2"] - 300) < 6 * 14, f"shares: {shares}")
        give(cluster, 1, "weight", "all", "default")
        cluster.wait_until(lambda: weights(cluster, 1) == [100, 100, 100], "the weights are the configured ones again")

        # A suspended node refuses, and the others do it.
        give(cluster, 1, "suspend", "web2")
        check(state(cluster, 2) == "suspended", "web2 is not suspended")
        codes = give(cluster, 1, "weight", "all", "80", code=4)
        check(codes == {"web1": "done", "web2": "refused", "web3": "done"}, f"with one suspended: {codes}")
        give(cluster, 1, "weight", "all", "default", code=4)
        for node, became in ((1, "done"), (2, "refused"), (3, "done")):
            line = rf"order: weight {became} \(by=user 0(, logged in as \d+)? on web1 argument=80\)"
            check(re.search(line, log_of(cluster, node)), f"web{node} does not log whose order it was")
        give(cluster, 2, "resume")
        cluster.wait_active([1, 2, 3])

        # A drain, watched from elsewhere.
        shown = cluster.nlbctl("drain", "web3", "--wait", node=1).stdout.splitlines()
        check(shown[-1] == "web3: stopped", f"--wait showed {shown}")
        give(cluster, 1, "start", "web3")
        cluster.wait_active([1, 2, 3])

        # Dead, and hanging.
        cluster.kill(3)
        cluster.wait_until(lambda: cluster.members(cluster.status(1)) == [1, 2], "web3 is missed")
        started = time.monotonic()
        done = cluster.nlbctl("start", "all", node=1, check_exit=False)
        patience = time.monotonic() - started
        check(done.returncode == 1, f"with a dead node: exit {done.returncode}")
        check(done.stderr.startswith("nlbctl: start: web3: does not answer within"), f"it says {done.stderr}")
        check(len(done.stderr.splitlines()) == 1, f"not one line for one node: {done.stderr}")
        codes = give(cluster, 2, "start", "all", code=1)
        check(codes == {"web1": "done", "web2": "done", "web3": "no_answer"}, f"with one dead: {codes}")
        give(cluster, 3, "start", "all", code=3)
        started = time.monotonic()
        check(cluster.status(1)["state"] == "active" and time.monotonic() - started < patience, "web1 waits for the dead")


main(test)
