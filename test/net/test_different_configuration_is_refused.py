# SPDX-License-Identifier: Apache-2.0
"""A newcomer with another configuration file: refused, both sides name what differs, the cluster goes on.

    client --- bridge --- web1, web2, web3 (its rule "single" has another affinity)
"""

import flows
from harness import VIP4, Cluster, check, main
from configuration import RULES
from owners import check_shares, check_tcp


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start(1)
        cluster.start(2)
        cluster.wait_active([1, 2])
        view = cluster.status(1)["view"]

        other = cluster.write_config(f"{cluster.directory}/other.toml",
                                     rules=RULES.replace('affinity = "single"', 'affinity = "none"'))
        cluster.start(3, config=other)
        newcomer = cluster.wait_until(lambda: (status := cluster.status(3)) and 'rule "single"' in (status["reason"] or "")
                                      and status, "the newcomer names the rule that differs")
        print("the newcomer says:", newcomer["reason"])
        check(newcomer["state"] != "active", "the newcomer calls itself active")

        def told(node):
            """What a node of the cluster gives as the reason why web3 does not serve."""
            return next(member["reason"] or "" for member in cluster.status(node)["members"] if member["id"] == 3)

        for node in (1, 2):
            cluster.wait_until(lambda: 'rule "single"' in told(node), f"web{node} names the rule in which web3 differs")
            print(f"web{node} says:", told(node))

        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001)), nodes=2)
        check(cluster.status(1)["view"] == view, "the newcomer has changed the view")

        cluster.terminate(3)
        cluster.start(3)
        cluster.wait_active([1, 2, 3])


main(test)
