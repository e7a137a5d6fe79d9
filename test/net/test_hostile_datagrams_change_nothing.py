# SPDX-License-Identifier: Apache-2.0
"""100,000 datagrams that are no beats of this cluster: each is counted under its reason, and nothing else happens.

    client (attacker) --- bridge --- web1, web2, web3;  two strangers: same name with another key, another name

Garbage, beats cut short, beats of another cluster, beats sealed with another key, real beats sent again. What does not begin
as this cluster's beats do, the kernel drops; and so it does, counted apart, what comes while an agent stands still and its
buffer is full.
"""

import os
import random
import signal
import socket
import time

import flows
import netns
from beats import beats_on_the_wire
from harness import GROUP, PORT, VIP4, Cluster, check, main
from owners import check_tcp

COUNT = 100_000
PER_SECOND = 20_000


def _buckets(status):
    return {rule["name"]: rule["buckets"] for rule in status["rules"]}


def stranger(cluster, who, **changes):
    """Beats of an agent that does not belong to the cluster; it is gone again afterwards."""
    cluster.add_host(who)
    config = cluster.write_config(f"{cluster.directory}/{who}.toml", **changes)
    cluster.start(who, config=config, name="web1")
    cluster.wait_until(lambda: cluster.status(who), f"{who} runs")
    found = beats_on_the_wire(cluster, who)
    cluster.kill(who)
    return found


def send_all(cluster, datagrams):
    """Multicast from the client to the heartbeat group, at a bounded rate."""
    with netns.inside(cluster.client):
        attacker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        attacker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.0.2.254"))
        started = time.monotonic()
        for number, datagram in enumerate(datagrams):
            attacker.sendto(datagram, (GROUP, PORT))
            ahead = number / PER_SECOND - (time.monotonic() - started)
            if ahead > 0.005:
                time.sleep(ahead)
        attacker.close()


def hostile(cluster):
    """What is sent, by kind, and the reasons under which it may be counted."""
    dice = random.Random(4)
    real = [beat for node in cluster.ids for beat in beats_on_the_wire(cluster, f"web{node}", 0.5)]
    other_key = f"{cluster.directory}/other.key"
    cluster.nlbctl("keygen", other_key)
    wrong_key = stranger(cluster, "sameName", key_file=other_key)
    foreign = stranger(cluster, "otherName", name="other")
    cut = [beat[:dice.randrange(len(beat))] for beat in real for _ in range(20)]
    changed = [bytes(beat[:at]) + bytes([beat[at] ^ 1 << dice.randrange(8)]) + bytes(beat[at + 1:])
               for beat in real for at in dice.sample(range(len(beat)), 20)]
    garbage = [os.urandom(dice.randrange(0, 1472)) for _ in range(2000)]
    return {"garbage": garbage, "cut": cut, "changed": changed, "replayed": real, "wrong key": wrong_key,
            "foreign": foreign}


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        kinds = hostile(cluster)
        cluster.wait_active([1, 2, 3])
        before = {node: cluster.status(node) for node in cluster.ids}
        share = COUNT // len(kinds)
        datagrams = [kind[i % len(kind)] for kind in kinds.values() for i in range(share)]
        random.Random(5).shuffle(datagrams)
        send_all(cluster, datagrams)

        for node in cluster.ids:
            def refused(status):
                return {reason: count - before[node]["beats"].get(reason, 0)
                        for reason, count in status["beats"].items() if reason not in ("sent", "received", "send_errors")}
            cluster.wait_until(lambda: sum(refused(cluster.status(node)).values()) >= len(datagrams) * 0.9,
                               f"web{node} has counted them")
            after = cluster.status(node)
            counts = refused(after)
            print(f"web{node}: {counts}")
            # Own beats sent back are an echo; cut ones have a wrong seal, or no room for one.
            for kind, reasons, times in (("cut, changed or sealed with another key", ("bad_tag",), 1),
                                         ("another cluster's or garbage", ("filtered",), 2),
                                         ("replayed", ("replayed", "own_echo"), 1)):
                count = sum(counts[reason] for reason in reasons)
                check(count > times * share * 0.8, f"web{node}: only {count} counted as {kind}")
            check(counts["too_short"], f"web{node}: no wrong size counted")
            check(counts["overflowed"] == 0 and counts["foreign_protocol"] == 0, f"web{node}: {counts}")
            check(after["view"] == before[node]["view"], f"web{node}: the view has changed")
            check(cluster.members(after) == [1, 2, 3], f"web{node}: the members have changed")
            check(_buckets(after) == _buckets(before[node]), f"web{node}: its buckets have changed")
            check(cluster.log(node).count("\n") < 1000, f"web{node} has logged what came from the network")
        check_tcp(cluster, flows.many(2000, VIP4, 7001))

        cluster.agents[2].send_signal(signal.SIGSTOP)
        send_all(cluster, (kinds["wrong key"] * 20_000)[:20_000])
        cluster.agents[2].send_signal(signal.SIGCONT)
        cluster.wait_until(lambda: cluster.status(2)["beats"]["overflowed"] > 1000, "web2 counts those for which it had no room")
        cluster.wait_until(lambda: "beats: lost (reason=overflowed" in cluster.log(2), "and says so")
        cluster.wait_active([1, 2, 3])


main(test)
