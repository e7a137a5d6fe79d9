# SPDX-License-Identifier: Apache-2.0
"""A rule's own weights: 10, 90 and 0 for one rule, the nodes' own for the next. Shares within three deviations.

    client --- bridge --- web1, web2, web3

The key is fixed, so that every run draws the same lots.
"""

import flows
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_tcp, check_udp, check_weights, spread

RULES = """
[[rule]]
name = "ninety"
protocol = "both"
ports = "7001"
affinity = "none"
weights = { web1 = 10, web2 = 90, web3 = 0 }

[[rule]]
name = "plain"
protocol = "both"
ports = "7002"

[[rule]]
name = "quarter"
protocol = "both"
ports = "7003"
weights = { web3 = 25 }
"""
WEIGHTS = {7001: {"web1": 10, "web2": 90}, 7002: {"web1": 100, "web2": 100, "web3": 100},
           7003: {"web1": 100, "web2": 100, "web3": 25}}


def test():
    with Cluster(nodes=3, rules=RULES, key="6e" * 32) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for port, weights in WEIGHTS.items():
            for address in (VIP4, VIP6):
                asked = flows.many(2000, address, port)
                check_weights(check_tcp(cluster, asked), weights)
                check_weights(check_udp(cluster, asked), weights)

        cluster.nlbctl("stop", node=2)
        cluster.wait_active([1, 3])
        check(set(spread(check_tcp(cluster, flows.many(200, VIP4, 7001)))) == {"web1"}, "ten of ten is not all")
        cluster.nlbctl("stop", node=1)
        cluster.wait_active([3])
        check(set(spread(check_tcp(cluster, flows.many(200, VIP4, 7002)))) == {"web3"}, "the other rules are not served")
        dropped = cluster.status(3)["counters"]["no_owner"]
        got = flows.ask_tcp(cluster.client, flows.many(50, VIP4, 7001), timeout=0.5)
        check(not any(got.values()), f"weight 0 takes new connections: {got}")
        status = cluster.status(3)
        check(status["counters"]["no_owner"] >= dropped + 50, "drops without an owner are not counted")
        reason = next(rule["reason"] for rule in status["rules"] if rule["name"] == "ninety")
        check(reason == "no node is eligible", f"status says of the rule: {reason}")


main(test)
