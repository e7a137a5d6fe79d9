# SPDX-License-Identifier: Apache-2.0
"""Stopped, suspended, another weight, rules out of service: still so when the agent starts again; damage is named.

    client --- bridge --- web1, web2
"""

import json
import os
import subprocess

import flows
import netns
from harness import NLBD, VIP4, Cluster, check, main


def restart(cluster, node, how):
    how(node)
    cluster.start(node)
    cluster.wait_until(lambda: cluster.status(node), f"web{node} runs again")


def state(cluster, node):
    return cluster.status(node)["state"]


def rules(cluster, node):
    return {rule["name"]: rule["state"] for rule in cluster.status(node)["rules"]}


def test():
    with Cluster(nodes=2) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        orders = f"{cluster.run_dir(2)}/state/orders.json"
        check(not os.path.exists(orders), "there is a file of orders before the first order")

        for order, undo, wanted in (("stop", "start", "stopped"), ("suspend", "resume", "suspended")):
            cluster.nlbctl(order, node=2)
            for how in (cluster.terminate, cluster.kill):
                restart(cluster, 2, how)
                cluster.wait_until(lambda: state(cluster, 2) == wanted, f"web2 is {wanted} again")
                check(cluster.members(cluster.status(1)) == [1], f"{order} did not survive")
            if order == "suspend":
                for words in (("start",), ("stop",), ("drain",), ("weight", "web2", 3), ("disable", "none")):
                    done = cluster.nlbctl(*words, node=2, check_exit=False)
                    check(done.returncode == 4 and "suspended" in done.stderr, f"{words}: {done.stderr}")
                check(state(cluster, 2) == "suspended" and cluster.nlbctl("rules", node=2), "reads are refused as well")
            cluster.nlbctl(undo, node=2)
            cluster.wait_active([1, 2])
        check(not os.path.exists(orders), "there is a file of orders after the last was taken back")

        cluster.nlbctl("weight", "web2", 50, node=2)
        cluster.nlbctl("disable", "none", node=2)
        cluster.nlbctl("drain-rule", "single", node=2)
        wanted = {"none": "disabled", "single": "draining", "network": "enabled"}
        for how in (cluster.kill, cluster.terminate):
            restart(cluster, 2, how)
            cluster.wait_active([1, 2])
            check(rules(cluster, 2) == wanted, f"rules after a restart: {rules(cluster, 2)}")
            weight = {member["id"]: member["weight"] for member in cluster.status(1)["members"]}[2]
            check(weight == 50, f"weight after a restart: {weight}")
        got = flows.ask_tcp(cluster.client, flows.many(200, VIP4, 7001))
        check(set(got.values()) == {"web1"}, f"a rule disabled on web2 was served by {set(got.values())}")

        # A full disk: a clear word, and nothing has changed.
        os.rename(f"{cluster.run_dir(2)}/state", f"{cluster.run_dir(2)}/kept")
        os.makedirs(f"{cluster.run_dir(2)}/state")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", f"{cluster.run_dir(2)}/state"], check=True)
        with open(f"{cluster.run_dir(2)}/state/filler", "wb") as file:
            file.write(b"x" * 4096)
        for words in (("stop",), ("suspend",), ("enable", "none")):
            done = cluster.nlbctl(*words, node=2, check_exit=False)
            check(done.returncode == 1 and "No space left" in done.stderr, f"full: {words}: {done.stderr}")
        check(state(cluster, 2) == "active" and rules(cluster, 2) == wanted, "an order that was not written has effect")
        subprocess.run(["umount", f"{cluster.run_dir(2)}/state"], check=True)
        os.rmdir(f"{cluster.run_dir(2)}/state")
        os.rename(f"{cluster.run_dir(2)}/kept", f"{cluster.run_dir(2)}/state")

        # Damaged: the start is refused, the file stays for an administrator to look at.
        cluster.terminate(2)
        with open(orders) as file:
            good = file.read()
        for damaged in (good[:-9], "", good.replace("disabled", "disbaled")):
            with open(orders, "w") as file:
                file.write(damaged)
            done = subprocess.run(
                netns.command(cluster.namespace(2), [NLBD, "--config", cluster.config_file, "--node", "web2",
                                                     "--run-dir", cluster.run_dir(2)]),
                capture_output=True, text=True, timeout=20, preexec_fn=netns.die_with_parent)
            check(done.returncode == 1 and len(done.stderr.splitlines()) == 1, f"damaged: {done}")
            check(f"read orders {orders}" in done.stderr and "remove it" in done.stderr, f"damaged: {done.stderr}")
        with open(orders, "w") as file:
            file.write(good)
        cluster.start(2)
        cluster.wait_active([1, 2])
        for words in (("enable", "none"), ("enable", "single"), ("weight", "web2", "default")):
            cluster.nlbctl(*words, node=2)
        check(not os.path.exists(orders), "all orders are taken back, and the file is there")
        check(json.loads(cluster.nlbctl("--json", "rules", node=2).stdout)[0]["state"] == "enabled", "rule none")


main(test)
