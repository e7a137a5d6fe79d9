# SPDX-License-Identifier: Apache-2.0
"""[announce]: the device of the virtual IPs has a carrier while its node serves, and a routing daemon goes by that.

    client --- bridge (floods nothing) --- web1, web2, web3: each has 192.0.2.100 on nlbd-announce

It has none from the beginning of a drain on, while stopped, once the agent is killed (at once) or stands still (before its
lease ends). The addresses stay, and with them open connections. Whatever else takes the device, the address or the guard
away is undone and named. A leader's death moves nothing at the others.
"""

import json
import os
import signal
import time

import connections
import flows
import netns
import snapshot
from harness import VIP4, VIP6, Cluster, check, main

DEVICE = "nlbd-announce"
ANNOUNCE = "\n[announce]\n"


def device(cluster, node):
    """What `ip` shows of it; None: there is none."""
    done = netns.run(cluster.namespace(node), "ip", "-j", "address", "show", DEVICE, check=False)
    return json.loads(done.stdout)[0] if done.returncode == 0 else None


def announced(cluster, node):
    shown = device(cluster, node)
    return shown is not None and {"UP", "LOWER_UP"} <= set(shown["flags"])


def addresses(cluster, node):
    return {one["local"] for one in device(cluster, node)["addr_info"]}


def wait_announced(cluster, nodes, what):
    """These are, and no others."""
    for node in cluster.ids:
        wanted = node in nodes
        cluster.wait_until(lambda: announced(cluster, node) == wanted, f"{what}: web{node} is {'' if wanted else 'not '}announced")
        cluster.wait_until(lambda: node not in cluster.agents or told(cluster, node)["announced"] == wanted,
                           f"{what}: the status of web{node} says so")


def told(cluster, node):
    return cluster.status(node)["announce"]


def wait_logged(cluster, node, text, count=1):
    cluster.wait_until(lambda: cluster.log(node).count(text) >= count, f"web{node} logs \"{text}\"")


def check_status(cluster):
    for node in cluster.ids:
        check(addresses(cluster, node) == {VIP4, VIP6}, f"web{node} has {addresses(cluster, node)} on {DEVICE}")
        on_lo = netns.run(cluster.namespace(node), "ip", "address", "show", "lo").stdout
        check(VIP4 not in on_lo and VIP6 not in on_lo, f"web{node} has virtual IPs on lo: {on_lo}")
        check(cluster.log(node).count("announcement: begins") == 1, f"web{node} was announced before it served")
        status = told(cluster, node)
        check(set(status) == {"device", "announced", "since", "reason"}, f"nlbctl-json(5) names other keys: {status}")
        check(status["device"] == DEVICE and status["since"] and status["reason"] is None, f"web{node}: {status}")
    check("announced" in cluster.nlbctl("status", node=1).stdout, "the status for people says nothing")


def drain_and_stop(cluster, held):
    """Others serve what is new, the drained one its connections, and with no router for it."""
    for command, back in (("drain", "start"), ("stop", "start"), ("suspend", "resume")):
        cluster.nlbctl(command, node=2)
        wait_announced(cluster, [1, 3], command)
        check(told(cluster, 2)["reason"], "the status does not say why")
        check(addresses(cluster, 2) == {VIP4, VIP6}, "the addresses have gone")
        if command == "drain":
            check(not held.talk(), f"connections break when web2 drains: {list(held.broken.items())[:3]}")
        cluster.nlbctl(back, node=2)
        cluster.wait_active(cluster.ids)
        wait_announced(cluster, cluster.ids, back)
    cluster.nlbctl("weight", "web2", 0, node=2)
    wait_announced(cluster, [1, 3], "weight 0")
    cluster.nlbctl("weight", "web2", "default", node=2)
    wait_announced(cluster, cluster.ids, "weight default")


def killed(cluster, node):
    cluster.kill(node)
    cluster.wait_until(lambda: not announced(cluster, node), "the agent is killed", seconds=2, every=0.01)
    check(addresses(cluster, node) == {VIP4, VIP6}, "a killed agent's addresses have gone")
    cluster.start(node)
    cluster.wait_active(cluster.ids)
    wait_announced(cluster, cluster.ids, "started again")


def stands_still(cluster, node):
    """Only a look at the filter's own table could tell when the lease ends: it ends 400 ms after the last beat."""
    agent = cluster.agents[node]
    agent.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    cluster.wait_until(lambda: not announced(cluster, node), "the agent stands still", every=0.01)
    took = time.monotonic() - begun
    print(f"an agent that stands still is announced for {1000 * took:.0f} ms more")
    agent.send_signal(signal.SIGCONT)
    cluster.wait_active(cluster.ids)
    wait_announced(cluster, cluster.ids, "it goes on")


def foreign_hands(cluster, node):
    space, log = cluster.namespace(node), cluster.log(node)
    check("put back" not in log, f"something was put back already: {log}")
    netns.ip(space, f"address delete {VIP4}/32 dev {DEVICE}")
    wait_logged(cluster, node, f"host: put back ({VIP4} on {DEVICE})")
    netns.ip(space, f"link set {DEVICE} down")
    wait_logged(cluster, node, f"announcement: put back (up: {DEVICE})")
    wait_announced(cluster, cluster.ids, "up again")
    cluster.wait_until(lambda: addresses(cluster, node) == {VIP4, VIP6}, "the addresses are back")
    netns.ip(space, f"link delete {DEVICE}")
    wait_logged(cluster, node, f"announcement: put back (device {DEVICE})")
    cluster.wait_until(lambda: addresses(cluster, node) == {VIP4, VIP6}, "the addresses are back")
    wait_announced(cluster, cluster.ids, "made again")
    with open(f"/proc/{cluster.agents[node].pid}/task/{cluster.agents[node].pid}/children") as file:
        guard = int(file.read().split()[-1])
    os.kill(guard, signal.SIGKILL)
    wait_logged(cluster, node, f"announcement: put back (the guard of {DEVICE})")
    wait_announced(cluster, cluster.ids, "another guard")
    check("host_unfit" not in cluster.log(node), "the node has left though all was put back")


def leader_dies(cluster):
    leader = cluster.status(1)["view"]["leader"]
    left = [node for node in cluster.ids if node != leader]
    ended = {node: cluster.log(node).count("announcement: ends") for node in left}
    cluster.crash(leader)
    cluster.wait_active(left)
    now = {node: cluster.log(node).count("announcement: ends") for node in left}
    check(now == ended, f"the leader's death ends announcements of others: {ended}, {now}")
    cluster.revive(leader)
    cluster.wait_active(cluster.ids)
    wait_announced(cluster, cluster.ids, "revived")


def ends(cluster, node):
    """Routers hear it two seconds before the node leaves, even where no connection is left to wait for."""
    agent = cluster.agents.pop(node)
    begun = time.monotonic()
    agent.terminate()
    cluster.wait_until(lambda: not announced(cluster, node), "told to end", every=0.01)
    withdrawn = time.monotonic()
    check(agent.poll() is None and device(cluster, node), "the agent ends at once")
    check(agent.wait(30) == 0, "its exit code")
    print(f"withdrawn after {withdrawn - begun:.2f} s, ended {time.monotonic() - withdrawn:.2f} s later")
    check(time.monotonic() - begun >= 2, "it has not waited until routers have heard")
    check(device(cluster, node) is None, "the device is left")


def test():
    with Cluster(nodes=3, delivery="forward", extra=ANNOUNCE) as cluster:
        pristine = snapshot.take(cluster, 3)
        cluster.start_all()
        cluster.wait_active(cluster.ids)
        wait_announced(cluster, cluster.ids, "started")
        check_status(cluster)
        leader_dies(cluster)
        held = connections.Held(cluster.client, flows.many(150, VIP4, 7002))
        foreign_hands(cluster, 3)
        drain_and_stop(cluster, connections.Held(cluster.client, flows.many(90, VIP6, 7001)))
        killed(cluster, 2)
        stands_still(cluster, 1)
        lost = held.talk(held.of("web3"))
        check(held.of("web3") and not lost, f"connections of web3 are lost, which has served throughout: {list(lost.items())[:3]}")
        held.close([flow for flow in held.owners if flow not in held.broken])
        ends(cluster, 3)
        snapshot.check_same(pristine, snapshot.take(cluster, 3))


main(test)
