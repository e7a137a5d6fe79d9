# SPDX-License-Identifier: Apache-2.0
"""A changed configuration is staged node by node and comes into force for all at once, under open connections.

    client --- bridge --- web1, web2, web3

What is wrong, or cannot change without a restart, is refused by name and changes nothing.
"""

import connections
import flows
from configuration import RULES
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_shares, check_tcp
from witness import Witness

# Another affinity, a rule gone (its port is uncovered from now on), the others in another order.
CHANGED = """
[[rule]]
name = "network"
protocol = "both"
ports = "7003"
affinity = "network"

[[rule]]
name = "none"
protocol = "both"
ports = "7001"
affinity = "single"
"""


def rules(cluster, node):
    return [rule["name"] for rule in cluster.status(node)["rules"]]


def reload(cluster, node, *arguments):
    return cluster.nlbctl("reload", *arguments, node=node).stdout


def refuse(cluster, why, **changes):
    cluster.write_config(cluster.config_file, **changes)
    done = cluster.nlbctl("reload", node=1, check_exit=False)
    check(done.returncode == 1 and why in done.stderr, f"reload: exit {done.returncode}: {done.stderr}")
    check(not cluster.status(1)["reload"]["staged"], "what was refused is staged")


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        held = connections.Held(cluster.client, flows.many(100, VIP4, 7001) + flows.many(100, VIP6, 7002)
                                + flows.many(50, VIP4, 7003))
        before = rules(cluster, 1)

        refuse(cluster, "cluster.toml:", rules=RULES + "[[rule]]\n")
        refuse(cluster, "heartbeat", heartbeat="interval_ms = 60")
        refuse(cluster, "heartbeat.partition", heartbeat='partition = "quorum"')

        cluster.write_config(cluster.config_file, rules=CHANGED)
        told = reload(cluster, 1)
        check(told == "web1: staged; waits for web2, web3\n", f"reload says: {told}")
        status = cluster.status(1)
        check(status["reload"] == {"staged": True, "waiting_for": ["web2", "web3"], "staged_another": []},
              f"status: {status['reload']}")
        check("staged; waits for web2, web3" in cluster.nlbctl("status", node=1).stdout, "status does not say who is missing")
        reload(cluster, 2)
        cluster.nlbctl("disable", "none", node=2)
        check(all(rules(cluster, node) == before for node in cluster.ids), "a staged configuration is in force")
        check("in force" in reload(cluster, 3), "the last node does not say that it is in force")
        check(all(rules(cluster, node) == ["network", "none"] for node in cluster.ids), "the rules have not changed")
        check("with rule none" not in cluster.log(1), "what was disabled meanwhile has been given back for a moment")
        cluster.nlbctl("enable", "none", node=2)
        cluster.wait_active([1, 2, 3])
        check(not held.talk(), f"reload broke {len(held.broken)} connections: {list(held.broken.items())[:3]}")
        check_shares(check_tcp(cluster, flows.many(600, VIP4, 7001, seed=2)), nodes=3)
        check(set(check_tcp(cluster, flows.many(60, VIP6, 7002, seed=2)).values()) == {"web1"}, "what no rule covers any more")

        # There and back, with clients that come and clients that stay.
        load = flows.Load(cluster.client, flows.many(500, VIP4, 7001, seed=3) + flows.many(200, VIP4, 7003, seed=3))
        with Witness(cluster.switch) as seen, connections.Talking(held) as talking:
            load.start()
            for text in (RULES, CHANGED, RULES, CHANGED):
                cluster.write_config(cluster.config_file, rules=text)
                told = reload(cluster, 2, "all")
                check(told.count("in force") == 3, f"reload all says: {told}")
                talking.goes_on(cluster)
            attempts = load.stop()
        failed = [attempt for attempt in attempts if attempt.answer is None]
        check(not failed, f"{len(failed)} of {len(attempts)} requests failed: {failed[:3]}")
        check(not held.broken, f"reload broke {len(held.broken)} connections: {list(held.broken.items())[:3]}")
        seen.check_undisturbed(held.owners)
        seen.check_one_answer()

        # A node that was not there meanwhile, one that restarts on the new file, and back with one command for all.
        cluster.kill(3)
        cluster.wait_active([1, 2])
        cluster.write_config(cluster.config_file, rules=RULES)
        cluster.start(3)
        cluster.wait_until(lambda: "configuration differs" in ((cluster.status(3) or {}).get("reason") or ""),
                           "web3, on the new file, says that it is refused")
        check("in force" in reload(cluster, 1, "all"), "reload all")
        cluster.wait_active([1, 2, 3])
        check(all(rules(cluster, node) == before for node in cluster.ids), "the rules have not changed back")
        check_shares(check_tcp(cluster, flows.many(600, VIP4, 7001, seed=2)), nodes=3)
        check("in force" in reload(cluster, 2, "all"), "reload of what is in force already")


main(test)
