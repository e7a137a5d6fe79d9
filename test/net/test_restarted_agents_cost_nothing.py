# SPDX-License-Identifier: Apache-2.0
"""The agents of all nodes are killed (SIGKILL 50 times, some of them while they start), told to vanish (SIGUSR2), and
started again within their lease, also all of them at once; a follower, then the leader, is stopped (SIGSTOP) and goes on
within it: with downloads, other connections and datagrams under way, not one packet is lost. A third of the connections
are in buckets that web3 took over when it joined: their nodes have to go on telling it that they hold them.

    client --- bridge (a witness listens) --- web1, web2, web3 (joined last)

The tables, the link and the tc filter stay in the kernel; every start replaces the programs with its own. With the pcap
datapath the tables stay and packets that come in between are lost: datagrams are, but TCP sends again, and no connection is.
"""

import json
import re
import random
import signal
import time

import connections
import flows
import netns
from configuration import DATAPATH, RULES
from datagrams import Datagrams
from harness import VIP4, VIP6, Cluster, check, main
from owners import expected
from pairs import PORT, RULE, Bulk, Pairs
from witness import Witness

KILLED, VANISHED, ALL_AT_ONCE = 50, 6, 2


def program(cluster, node):
    """The id of the program on a node's interface, or the index of its TAP device."""
    if DATAPATH in ("", "tc"):
        shown = netns.run(cluster.namespace(node), "tc", "filter", "show", "dev", "eth0", "ingress").stdout
        return int(re.search(r"nlbd_ingress.* id (\d+)", shown)[1])
    if DATAPATH == "pcap":
        return json.loads(netns.run(cluster.namespace(node), "ip", "-j", "link", "show", "nlb-eth0").stdout)[0]["ifindex"]
    return json.loads(netns.run(cluster.namespace(node), "ip", "-j", "link", "show", "eth0").stdout)[0]["xdp"]["prog"]["id"]


def vanish(cluster, node):
    agent = cluster.agents.pop(node)
    agent.send_signal(signal.SIGUSR2)
    check(agent.wait(20) == 0, "SIGUSR2 did not end in exit code 0")


def restart(cluster, node, end, early_after=None):
    """early_after: it is killed again, this many seconds after its start."""
    before = program(cluster, node)
    end(node)
    cluster.start(node)
    if early_after is not None:
        time.sleep(early_after)  # not waiting for anything: that is the fault
        cluster.kill(node)
        cluster.start(node)
    cluster.wait_active(cluster.ids)
    check(program(cluster, node) != before, "the successor has not put its own program in place")


def restart_all(cluster):
    for node in cluster.ids:
        cluster.kill(node)
    cluster.start_all()
    cluster.wait_active(cluster.ids)


def stall(cluster, node):
    cluster.agents[node].send_signal(signal.SIGSTOP)
    time.sleep(1)  # not waiting for anything: that is the fault
    cluster.agents[node].send_signal(signal.SIGCONT)
    cluster.wait_active(cluster.ids)


def test():
    dice = random.Random(1)
    # The right to serve outlasts a start on a machine that is busy with other things.
    with Cluster(nodes=3, rules=RULES + RULE, heartbeat="dead_after_ms = 4000") as cluster:
        cluster.start(1)
        cluster.start(2)
        cluster.wait_active([1, 2])
        pairs = Pairs(cluster)
        held = connections.Held(cluster.client, flows.many(150, VIP4, 7001) + flows.many(50, VIP6, 7002))
        made = [pairs.connect(flow) for flow in flows.many(24, VIP4, PORT)]
        downloads = Bulk(made, upload=False, pause=0.05)
        cluster.start(3)
        cluster.wait_active(cluster.ids)
        asked = flows.many(40, VIP4, 7003) + flows.many(20, VIP6, 7001)
        owners = expected(cluster, "udp", asked)

        with Witness(cluster.switch) as seen, connections.Talking(held, pause=0.5) as talking, \
                Datagrams(cluster.client, asked) as datagrams:
            killed = turn = 0
            while killed < KILLED:
                early_after = dice.uniform(0, 0.3) if turn % 4 == 0 else None
                restart(cluster, 1 + turn % 3, cluster.kill, early_after)
                killed += 1 if early_after is None else 2
                turn += 1
                downloads.all_flow() if turn % 10 == 0 else None
            for turn in range(VANISHED):
                restart(cluster, 1 + turn % 3, lambda node: vanish(cluster, node))
            for _ in range(ALL_AT_ONCE):
                restart_all(cluster)
            leader = cluster.status(1)["view"]["leader"]
            for node in (1 + leader % 3, leader):
                stall(cluster, node)
            downloads.all_flow()
        downloads.stop()
        check(not held.talk() and not held.broken, f"connections broke: {list(held.broken.items())[:3]}")
        check(talking.rounds > 10, "too little was said on the connections to say anything")
        if DATAPATH != "pcap":
            datagrams.check_all_answered(owners)
        seen.check_undisturbed(held.owners | {pair.flow: f"web{pair.node}" for pair in made})
        for node in cluster.ids:
            log = cluster.log(node)
            check(log.count("agent: started") == 1, f"web{node} has not resumed every time")
            check("new life" not in log, f"a life of web{node} has ended")


main(test)
