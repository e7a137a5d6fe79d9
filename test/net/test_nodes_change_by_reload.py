# SPDX-License-Identifier: Apache-2.0
"""Nodes come and go by `nlbctl reload all --file FILE`, under traffic, also with `quorum`: no request fails, no connection breaks.

    client --- bridge --- web1, web2, web3, web4, each with a file of its own

A new node that starts before the reload waits and says for what, also in a network without multicast; so does a removed one that
is started by its former file.
"""

import os
import re

import connections
import flows
from configuration import DATAPATH, configuration
from harness import VIP4, Cluster, check, main
from owners import check_shares, check_tcp


def text(cluster, *nodes):
    """The configuration with these nodes alone."""
    whole = configuration(**cluster.options)
    for node in cluster.ids:
        if node not in nodes:
            whole = re.sub(rf"\n\[\[node\]\]\nid = {node}\n(.+\n)*", "", whole)
    return whole


def file_of(cluster, node):
    return f"{cluster.directory}/etc{node}/cluster.toml"


def give(cluster, node, content):
    os.makedirs(os.path.dirname(file_of(cluster, node)), mode=0o700, exist_ok=True)
    with open(file_of(cluster, node), "w") as file:
        file.write(content)


def begin(cluster, node, content):
    give(cluster, node, content)
    cluster.start(node, config=file_of(cluster, node))


def push(cluster, content, members, removed=()):
    """reload all --file, on a member that stays."""
    with open(f"{cluster.directory}/next.toml", "w") as file:
        file.write(content)
    stays = next(node for node in members if node not in removed)
    done = cluster.nlbctl("reload", "all", "--file", f"{cluster.directory}/next.toml", node=stays, check_exit=False)
    check(done.returncode == 0, f"reload all: exit {done.returncode}: {done.stdout}{done.stderr}")
    for node in members:
        expected = f"web{node}: no longer listed" if node in removed else f"web{node}: in force\n"
        check(expected in done.stdout, f"no line {expected!r} in {done.stdout}")


def check_waits(cluster, node, member):
    """It is up, hears the others, and serves nothing."""
    cluster.wait_until(lambda: "configuration differs from" in str((cluster.status(node) or {}).get("reason")),
                       f"web{node} says what it waits for")
    status = cluster.status(node)
    check(f'node "web{node}"' in status["reason"] and "nlbctl reload all" in status["reason"],
          f"web{node} says: {status['reason']}")
    check(status["state"] == "joining", f"web{node} is {status['state']}")
    check(cluster.status(member)["beats"]["unknown_node"] > 0, f"web{member} does not count the beats of web{node}")


def check_electorate(cluster, partition, *nodes):
    """With `quorum`, these decide alone."""
    expected = {"nodes": [f"web{node}" for node in nodes], "former": []} if partition == "quorum" else None
    cluster.wait_until(lambda: cluster.status(nodes[0])["electorate"] == expected, f"{nodes} decide")


def check_removed(cluster, node):
    cluster.wait_until(lambda: cluster.status(node)["state"] == "stopped", f"web{node} is out")
    reason = cluster.status(node)["reason"]
    check(reason.startswith("removed: "), f"web{node} says: {reason}")
    cluster.wait_until(lambda: "not_listed" in problems(cluster, node), f"web{node} names its problem")
    reason = cluster.status(node)["reason"]
    check("systemctl disable --now nlbd" in reason, f"web{node} says no way out: {reason}")


def problems(cluster, node):
    return [problem["name"] for problem in cluster.status(node)["problems"]]


def refused(cluster, content, why):
    with open(f"{cluster.directory}/next.toml", "w") as file:
        file.write(content)
    done = cluster.nlbctl("reload", "all", "--file", f"{cluster.directory}/next.toml", node=1, check_exit=False)
    check(done.returncode == 1 and why in done.stderr, f"exit {done.returncode}: {done.stdout}{done.stderr}")


def test_without_multicast():
    """The others know no address of the new node before the reload."""
    addresses = {node: f'"192.0.2.{node}"' for node in (1, 2, 3)}
    with Cluster(nodes=3, multicast=False, delivery="forward", virtual_ips=(VIP4,), addresses=addresses) as cluster:
        for node in (1, 2):
            begin(cluster, node, text(cluster, 1, 2))
        cluster.wait_active([1, 2])
        begin(cluster, 3, text(cluster, 1, 2, 3))
        check_waits(cluster, 3, member=1)
        push(cluster, text(cluster, 1, 2, 3), members=[1, 2])
        cluster.wait_active([1, 2, 3])
        push(cluster, text(cluster, 2, 3), members=[1, 2, 3], removed=[1])
        cluster.wait_active([2, 3])
        check_removed(cluster, 1)


def test_under_traffic(partition):
    with Cluster(nodes=4, heartbeat=f'partition = "{partition}"') as cluster:
        three = text(cluster, 1, 2, 3)
        for node in (1, 2, 3):
            begin(cluster, node, three)
        cluster.wait_active([1, 2, 3])
        load = flows.Load(cluster.client, flows.many(500, VIP4, 7001, seed=3))
        held = connections.Held(cluster.client, flows.many(200, VIP4, 7001, seed=5))
        load.start()
        with connections.Talking(held) as talking:
            begin(cluster, 4, text(cluster, 1, 2, 3, 4))  # before the reload
            check_waits(cluster, 4, member=1)
            push(cluster, text(cluster, 1, 2, 3, 4), members=[1, 2, 3])
            cluster.wait_active([1, 2, 3, 4])
            check_electorate(cluster, partition, 1, 2, 3, 4)
            talking.goes_on(cluster)
            check_shares(check_tcp(cluster, flows.many(600, VIP4, 7001, seed=2)), nodes=4)

            push(cluster, text(cluster, 2, 3, 4), members=[1, 2, 3, 4], removed=[1])  # the leader
            cluster.wait_active([2, 3, 4])
            check_removed(cluster, 1)
            check_electorate(cluster, partition, 2, 3, 4)
            check([member["name"] for member in cluster.status(2)["members"]] == ["web2", "web3", "web4"],
                  "web2 still shows web1")
            talking.goes_on(cluster)

            give(cluster, 1, three)  # web1 in the place of web4, by one reload, and started after it
            push(cluster, text(cluster, 1, 2, 3), members=[2, 3, 4], removed=[4])
            cluster.wait_active([2, 3])
            check_removed(cluster, 4)
            talking.goes_on(cluster)
            returns_without_restart(cluster, three)
            talking.goes_on(cluster)
        attempts = load.stop()
        failed = [attempt for attempt in attempts if attempt.answer is None]
        check(not failed, f"{len(failed)} of {len(attempts)} requests failed: {failed[:3]}")
        check(not held.broken, f"{len(held.broken)} of {len(held)} connections broke: {list(held.broken.items())[:3]}")
        held.close()
        ends_and_returns(cluster, three)


def returns_without_restart(cluster, three):
    """web4 is removed, and its agent runs: it is listed again, with another weight, and removed again."""
    four = text(cluster, 1, 2, 3, 4).replace('name = "web4"', 'name = "web4"\nweight = 50')
    push(cluster, four, members=[2, 3])  # reaches web1, too, which the former reload has listed
    give(cluster, 4, four)
    done = cluster.nlbctl("reload", node=4)
    check(done.stdout == "web4: in force\n", f"reload on web4: {done.stdout}{done.stderr}")
    cluster.wait_active([1, 2, 3, 4])
    cluster.wait_until(lambda: "not_listed" not in problems(cluster, 4), "web4 is listed")
    push(cluster, three, members=[1, 2, 3, 4], removed=[4])
    cluster.wait_active([1, 2, 3])
    check_removed(cluster, 4)


def ends_and_returns(cluster, three):
    for node in (1, 4):
        check(cluster.terminate(node) == 0, f"web{node} did not end well")
    cluster.start(1, config=file_of(cluster, 1))
    cluster.wait_active([1, 2, 3])
    begin(cluster, 4, text(cluster, 1, 2, 3, 4))  # by a former file
    check_waits(cluster, 4, member=1)
    cluster.terminate(4)
    give(cluster, 4, three)
    done = cluster.run_agent(4, "--config", file_of(cluster, 4), "--node", "web4")
    check(done.returncode == 1 and "web4" in done.stderr, f"web4 by a file without it: {done.returncode} {done.stderr}")
    swapped = re.sub('name = "web([12])"', lambda found: f'name = "web{3 - int(found[1])}"', three)
    refused(cluster, swapped, 'node "web1".id (its agent is node 1 for as long as it runs)')
    refused(cluster, text(cluster, 4), "no present node stays")
    cluster.kill(3)  # for good
    cluster.wait_until(lambda: cluster.status(1)["members"][2]["state"] == "dead", "web1 misses web3")
    push(cluster, text(cluster, 1, 2), members=[1, 2])
    cluster.wait_active([1, 2])


def test():
    for partition in ("serve", "quorum"):
        test_under_traffic(partition)
    if DATAPATH != "pcap":  # which forwards nothing
        test_without_multicast()


main(test)
