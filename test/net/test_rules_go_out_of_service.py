# SPDX-License-Identifier: Apache-2.0
"""disable: nothing of the rule gets through, open connections neither. drain-rule: the open ones go on. enable: back.

    client --- bridge --- web1, web2
"""

import connections
import flows
from harness import VIP4, VIP6, Cluster, check, main


def rule(cluster, node, name):
    return next(rule for rule in cluster.status(node)["rules"] if rule["name"] == name)


def answering(cluster, port, count=150, timeout=5.0):
    return set(flows.ask_tcp(cluster.client, flows.many(count, VIP4, port, seed=9), timeout=timeout).values())


def test():
    with Cluster(nodes=2) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        held = connections.Held(cluster.client, flows.many(60, VIP4, 7001) + flows.many(60, VIP6, 7002))
        of_none = [flow for flow in held.of("web2") if flow.dport == 7001]
        check(len(of_none) > 10, "web2 got too few connections to say anything")

        # Drained on one node, told from the other.
        cluster.nlbctl("drain-rule", "none", "web2", node=1)
        cluster.wait_until(lambda: rule(cluster, 2, "none")["buckets"] == 0, "web2 lets go of the rule")
        check(rule(cluster, 2, "none")["state"] == "draining", "the rule does not say that it drains")
        left = f"draining, {len(of_none)} connections left"
        cluster.wait_until(lambda: rule(cluster, 2, "none")["reason"] == left, f"rules says: {left}")
        check(left in cluster.nlbctl("rules", node=2).stdout, "people do not see what is left")
        check(answering(cluster, 7001) == {"web1"}, "new connections of a drained rule")
        check(answering(cluster, 7003) == {"web1", "web2"}, "another rule has gone with it")
        check(not held.talk(), f"drain-rule broke {len(held.broken)} connections: {list(held.broken.items())[:3]}")

        # Taken back.
        cluster.nlbctl("enable", "none", "web2", node=1)
        cluster.wait_until(lambda: rule(cluster, 2, "none")["buckets"] > 0, "web2 serves the rule again")
        check(rule(cluster, 2, "none")["state"] == "enabled", "the rule does not say that it is enabled")
        check(answering(cluster, 7001) == {"web1", "web2"}, "a rule that was enabled again is not served")
        check(not held.talk(), f"enable broke {len(held.broken)} connections")

        # Drained everywhere: no node takes a new connection, each keeps its old ones.
        cluster.nlbctl("drain-rule", "none", "all", node=2)
        cluster.wait_until(lambda: all(rule(cluster, node, "none")["buckets"] == 0 for node in (1, 2)), "nobody serves it")
        check(answering(cluster, 7001, 20, 1.0) == {None}, "a rule drained everywhere has taken a connection")
        check(not held.talk(), f"drain-rule all broke {len(held.broken)} connections")
        cluster.nlbctl("enable", "none", "all", node=1)

        # Disabled on one node: its open connections get nothing more, the others' go on.
        cluster.nlbctl("disable", "none", node=2)
        check(rule(cluster, 2, "none")["state"] == "disabled", "the rule does not say that it is disabled")
        cluster.wait_until(lambda: rule(cluster, 1, "none")["buckets"] == 65536, "web1 has taken the rule over")
        before = cluster.status(2)["counters"]["rule_disabled"]
        held.talk()
        check(set(held.broken) == set(of_none), f"{len(held.broken)} connections of {len(of_none)} broke")
        check(cluster.status(2)["counters"]["rule_disabled"] > before, "what was dropped is not counted")
        check(answering(cluster, 7001) == {"web1"}, "new connections of a rule that is disabled on web2")
        cluster.nlbctl("disable", "none", "all", node=2)
        check(answering(cluster, 7001, 20, 1.0) == {None}, "a rule disabled everywhere has answered")
        check(answering(cluster, 7003) == {"web1", "web2"}, "another rule has gone with it")
        cluster.nlbctl("enable", "none", "all", node=2)
        cluster.wait_until(lambda: answering(cluster, 7001, 60) == {"web1", "web2"}, "the rule is served again")
        check(cluster.nlbctl("disable", "ftp", node=1, check_exit=False).returncode == 4, "no such rule")


main(test)
