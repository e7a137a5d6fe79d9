# SPDX-License-Identifier: Apache-2.0
"""A connection's node drains: `explain` tells what each node's loaded filter does with its packets and with new ones.

    client --- bridge --- web1, web2 (drains, and keeps its connections)
"""

import json

import connections
import flows
from harness import VIP4, VIP6, Cluster, check, main
from owners import end


def explain(cluster, node, flow, flags):
    told = cluster.nlbctl("explain", "tcp", end(flow.source, flow.sport), end(flow.destination, flow.dport),
                          "--flags", flags, "--json", node=node)
    return json.loads(told.stdout)


def check_told(cluster, node, flow, flags, reason, *why):
    told = explain(cluster, node, flow, flags)
    check(told["reason"] == reason, f"web{node} says {told['reason']} to {flags} of {flow}, expected {reason}: {told}")
    check(told["verdict"] == ("pass" if reason.startswith("accepted") else "drop"), f"another verdict: {told}")
    for code in why:
        check(code in told["why"], f"web{node} does not say {code}: {told}")
    return told


def test():
    with Cluster(nodes=2) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        held = connections.Held(cluster.client, flows.many(20, VIP4, 7001) + flows.many(20, VIP6, 7002))
        mine = [next(flow for flow in held.of("web2") if flow.destination == address) for address in (VIP4, VIP6)]
        for flow in mine:
            check(explain(cluster, 1, flow, "syn")["owner"] == 2, "the owner is another one than the one who answered")
            check_told(cluster, 2, flow, "syn", "accepted")

        cluster.nlbctl("drain", node=2)
        cluster.wait_until(lambda: explain(cluster, 1, mine[0], "syn")["verdict"] == "pass", "web1 takes over")
        for flow in mine:
            for node in (1, 2):
                told = check_told(cluster, node, flow, "ack", ("guarded", "accepted_lingering")[node - 1],
                                  "highest_score", ("guarded", "lingering")[node - 1])
                check(told["owner"] == 1, f"web1 owns every bucket now: {told}")
                drained = next(other for other in told["candidates"] if other["id"] == 2)
                check(drained["weight"] == 0 and "draining" in drained["left_out"], f"why web2 is left out: {drained}")
            check_told(cluster, 1, flow, "syn", "accepted")
            check_told(cluster, 2, flow, "syn", "lingering_syn")
            # Another connection of the same group, which no node has.
            check_told(cluster, 2, flow._replace(sport=1), "ack", "lingering_no_socket")
        check(not held.talk(), f"connections broke: {held.broken}")
        text = cluster.nlbctl("explain", "tcp", end(mine[0].source, mine[0].sport), f"{VIP4}:7001", "--flags", "ack",
                              node=1).stdout
        print(text)
        check("web1 drops it (guarded)" in text and "web2: draining" in text, "the text for people says less")


main(test)
