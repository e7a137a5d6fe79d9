# SPDX-License-Identifier: Apache-2.0
"""Recipes of etc/guide/operations.md, as it gives them, under traffic: no request fails, no connection breaks.

    client --- bridge --- web1, web2, web3

Maintenance of all nodes in turn; from one node to two; a node from its backup on a new machine. (Virtual IPs, the key and pushed
files have tests of their own.)
"""

import os
import shutil

import connections
import flows
from harness import VIP4, Cluster, check, main
from owners import check_shares, check_tcp


class Traffic:
    """Clients that come, meanwhile. All are served."""

    def __init__(self, cluster):
        self._load = flows.Load(cluster.client, flows.many(500, VIP4, 7001, seed=3))

    def __enter__(self):
        self._load.start()

    def __exit__(self, kind, *_):
        attempts = self._load.stop()
        failed = [attempt for attempt in attempts if attempt.answer is None]
        check(kind or not failed, f"{len(failed)} of {len(attempts)} requests failed: {failed[:3]}")


def maintenance(cluster):
    with Traffic(cluster):
        for node in cluster.ids:
            other = node % len(cluster.ids) + 1
            cluster.nlbctl("drain", f"web{node}", "--wait", "--timeout", 10, node=other)
            check(cluster.terminate(node) == 0, f"web{node} did not end well")  # a reboot
            shutil.rmtree(f"{cluster.run_dir(node)}/bpf", ignore_errors=True)
            cluster.start(node)
            cluster.wait_until(lambda: (cluster.status(node) or {}).get("state") == "stopped",  # pylint: disable=cell-var-from-loop
                               f"web{node} stays out after the reboot")
            cluster.nlbctl("start", f"web{node}", node=other)
            cluster.wait_active(cluster.ids)
    check_shares(check_tcp(cluster, flows.many(600, VIP4, 7001, seed=2)), nodes=3)


def backup_and_restore(cluster):
    """web3's machine is lost; a new one gets its name, its files and the key."""
    backup = f"{cluster.directory}/backup"
    os.mkdir(backup)
    for file in (cluster.config_file, cluster.key_file):
        shutil.copy2(file, backup)
    cluster.nlbctl("weight", "web3", 50, node=1)
    shutil.copytree(f"{cluster.run_dir(3)}/state", f"{backup}/state")
    with Traffic(cluster):
        check(cluster.terminate(3) == 0, "web3 did not end well")
        shutil.rmtree(cluster.run_dir(3), ignore_errors=True)
        os.makedirs(cluster.run_dir(3))
        shutil.copytree(f"{backup}/state", f"{cluster.run_dir(3)}/state")
        cluster.start(3, config=f"{backup}/cluster.toml")
        cluster.wait_active(cluster.ids)
    weight = [member["weight"] for member in cluster.status(1)["members"] if member["id"] == 3]
    check(weight == [50], f"web3 came back with the weight {weight}, ordered was 50")


def one_to_two():
    with Cluster(nodes=2) as cluster:
        cluster.write_config(cluster.config_file, nodes=1)
        cluster.start(1)
        cluster.wait_active([1])
        held = connections.Held(cluster.client, flows.many(60, VIP4, 7001, seed=7))
        with Traffic(cluster):
            cluster.write_config(f"{cluster.directory}/new.toml")
            told = cluster.nlbctl("reload", "all", "--file", f"{cluster.directory}/new.toml", node=1).stdout
            check("web1: in force" in told, f"reload all says: {told}")
            cluster.start(2)
            cluster.wait_active([1, 2])
        check(not held.talk(), f"{len(held.broken)} connections broke: {list(held.broken.items())[:3]}")
        check_shares(check_tcp(cluster, flows.many(600, VIP4, 7001, seed=2)), nodes=2)


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        maintenance(cluster)
        backup_and_restore(cluster)
    one_to_two()


main(test)
