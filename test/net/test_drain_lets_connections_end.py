# SPDX-License-Identifier: Apache-2.0
"""`nlbctl drain`: no new connection, the old ones go on and are counted down, then the node stops by itself.

    client --- bridge --- web1, web2 (drains)
"""

import subprocess
import time

import connections
import flows
import netns
from harness import NLBCTL, VIP4, VIP6, Cluster, check, main


def left(cluster, node):
    return cluster.status(node)["connections"]["total"]


def test():
    with Cluster(nodes=2) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        held = connections.Held(cluster.client, flows.many(60, VIP4, 7001) + flows.many(60, VIP6, 7002))
        mine = held.of("web2")
        check(len(mine) > 20, "web2 got too few connections to say anything")

        cluster.nlbctl("drain", node=2)
        cluster.nlbctl("drain", "web2", node=2)  # nothing new
        cluster.wait_until(lambda: left(cluster, 2) == len(mine), f"web2 counts its {len(mine)} connections")
        status = cluster.status(2)
        text = f"draining, {len(mine)} connections left"
        check(status["state"] == "draining" and status["reason"] == text, f"status says {status['reason']}")
        cluster.wait_until(lambda: cluster.status(1)["members"][1]["reason"] == text, "another node says so too")
        check(text in cluster.nlbctl("members", node=2).stdout, "members does not show what is left")
        by_rule = {rule["name"]: rule["connections"] for rule in status["rules"]}
        wanted = {"none": sum(flow.dport == 7001 for flow in mine), "network": 0,
                  "single": sum(flow.dport == 7002 for flow in mine)}
        time.sleep(2)  # a drain without connections ends sooner
        check(cluster.status(2)["state"] == "draining", "the drain has ended with connections left")
        check(by_rule == wanted, f"connections by rule: {by_rule}, expected {wanted}")
        got = flows.ask_tcp(cluster.client, flows.many(300, VIP4, 7003))
        check(set(got.values()) == {"web1"}, f"new connections went to {set(got.values())}")
        check(not held.talk(), f"{len(held.broken)} connections broke: {list(held.broken.items())[:3]}")

        cluster.nlbctl("start", node=2)  # cancels
        cluster.wait_active([1, 2])
        check(not held.talk(), f"start after drain broke {len(held.broken)} connections")

        watching = subprocess.Popen([NLBCTL, "--run-dir", cluster.run_dir(2), "drain", "--wait"], text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=netns.die_with_parent)
        cluster.wait_until(lambda: cluster.status(2)["state"] == "draining", "web2 drains again")
        held.close(mine[1:])
        cluster.wait_until(lambda: left(cluster, 2) == 1, "one connection is left")
        check("draining, 1 connection left" == cluster.status(2)["reason"], "one is not counted in the singular")
        time.sleep(2)
        check(not held.talk(), f"the last connections broke: {held.broken}")
        check(watching.poll() is None, "--wait has ended with a connection left")
        held.close(mine[:1])
        cluster.wait_until(lambda: cluster.status(2)["state"] == "stopped", "web2 stops by itself")
        shown = watching.communicate(timeout=20)[0].splitlines()
        check(watching.returncode == 0, f"--wait ended with {watching.returncode}: {shown}")
        check("draining, 1 connection left" in shown and shown[-1].startswith("stopped"), f"--wait showed {shown}")
        cluster.nlbctl("drain", node=2)  # it has
        check(cluster.status(2)["state"] == "stopped", "a drain brought a stopped node back")
        check(not held.talk(), f"connections of the other node broke: {held.broken}")


main(test)
