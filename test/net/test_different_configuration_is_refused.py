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
        newcomer = cluster.wait_until(lambda: (status := cluster.status(3)) and status["reason"] and status,
                                      "the newcomer says why it does not serve")
        print("the newcomer says:", newcomer["reason"])
        check(newcomer["state"] != "active", "the newcomer calls itself active")
        check("rule single" in newcomer["reason"], f"the rule is not named: {newcomer['reason']}")

        def told(node):
            """What a node of the cluster gives as the reason why web3 does not serve."""
            return next(member["reason"] for member in cluster.status(node)["members"] if member["id"] == 3)

        for node in (1, 2):
            reason = cluster.wait_until(lambda: told(node), f"web{node} says why web3 does not serve")
            print(f"web{node} says:", reason)
            check("rule single" in reason, f"web{node} does not name the rule: {reason}")

        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001)), nodes=2)
        check(cluster.status(1)["view"] == view, "the newcomer has changed the view")

        cluster.terminate(3)
        cluster.start(3)
        cluster.wait_active([1, 2, 3])


main(test)
