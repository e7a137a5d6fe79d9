# SPDX-License-Identifier: Apache-2.0
"""etc/examples/dns as it is written: dig is answered by both servers over UDP and TCP; one dies, one is drained, one
hangs, and the answers go on.

    client (dig) --- bridge --- web1, web2 (NSD)
"""

import collections
import threading
import time

from guide import Guide  # first: it knows where the other modules are
import netns
from harness import check, main

ANSWER = "198.51.100.80"


def source(number):
    return f"198.18.7.{number % 250 + 1}"


def dig(cluster, *words, number=0):
    """The answer, or None. (A question that had to be asked again leaves a comment before it.)"""
    done = netns.run(cluster.client, "dig", "+short", "-b", source(number), "@192.0.2.100", *words, check=False)
    return done.stdout.split("\n")[-2].strip('"') if done.returncode == 0 and done.stdout else None


def who(cluster, *words, count=60):
    """server -> how many of these questions it answered."""
    return collections.Counter(dig(cluster, *words, "CH", "TXT", "id.server", number=number) for number in range(count))


class Asking(threading.Thread):
    """One dig after the other; answers holds what each said. dig asks again, after a second, three times in all."""

    def __init__(self, cluster, *words):
        super().__init__(daemon=True)
        self._cluster, self._words, self._stopping = cluster, words, threading.Event()
        self.answers = []

    def run(self):
        number = 0
        while not self._stopping.wait(0.02):
            self.answers.append(dig(self._cluster, "+time=1", *self._words, "www.example.com", number=number))
            number += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self.join(60)
        wrong = [answer for answer in self.answers if answer != ANSWER]
        check(len(self.answers) > 20 and not wrong, f"{len(wrong)} of {len(self.answers)} questions: {wrong[:3]}")
        print(f"{len(self.answers)} questions {' '.join(self._words)}: all answered")


def rule(cluster, node):
    return cluster.status(node)["rules"][0]


def set_up(guide, cluster):
    guide.follow(cluster, [1, 2], "On both servers, the name server,")
    guide.follow(cluster, [1], "On web1, the cluster's key:")
    guide.follow(cluster, [1, 2], "On both servers:")
    cluster.wait_active([1, 2])
    cluster.wait_until(lambda: rule(cluster, 1)["healthy"] and rule(cluster, 2)["healthy"], "both are healthy")
    cluster.wait_until(lambda: rule(cluster, 1)["buckets"] and rule(cluster, 2)["buckets"], "both serve")


def look(guide, cluster):
    answers = guide.ask(cluster, "From a client, over UDP, TCP and IPv6:").split()
    check(answers == [ANSWER] * 3, f"answers: {answers}")
    check(guide.ask(cluster, "From a client, who answers;").strip() in ('"web1"', '"web2"'), "id.server")
    rules = guide.follow(cluster, [1], "On a server, whether the health check")[1]
    check("unhealthy" not in rules, f"rules:\n{rules}")
    for words in ((), ("+tcp",)):
        counts = who(cluster, *words)
        check(set(counts) == {"web1", "web2"}, f"{words}: answered by {counts}")
        print("60 questions", *words, dict(counts))


def dies(cluster):
    with Asking(cluster), Asking(cluster, "+tcp"):
        cluster.crash(1)
        cluster.wait_until(lambda: cluster.agree([2]), "web2 serves alone")
        time.sleep(1)
        check(set(who(cluster)) == set(who(cluster, "+tcp")) == {"web2"}, "who answers after the crash")
    cluster.revive(1, services="nsd")
    cluster.wait_active([1, 2])
    cluster.wait_until(lambda: set(who(cluster)) == {"web1", "web2"}, "web1 answers again")


def maintenance(guide, cluster):
    with Asking(cluster), Asking(cluster, "+tcp"):
        guide.follow(cluster, [2], "On the server that is to be worked on;")
        cluster.wait_until(lambda: cluster.status(2)["state"] == "stopped", "web2 is out of the cluster")
        check(set(who(cluster)) == {"web1"}, "who answers during the maintenance")
        guide.follow(cluster, [2], "It stays out,")
        cluster.wait_active([1, 2])
        guide.follow(cluster, [1, 2], "A new zone needs none of this:")
        time.sleep(0.5)


def hangs(cluster):
    """NSD is there and listens, and answers nothing: the check sees it."""
    cluster.machine[2].sh("kill -STOP $(pgrep ^nsd)")
    cluster.wait_until(lambda: not rule(cluster, 2)["healthy"] and not rule(cluster, 2)["buckets"], "web2 is unhealthy")
    print("web2:", rule(cluster, 2)["reason"])
    check(set(who(cluster)) == set(who(cluster, "+tcp")) == {"web1"}, "who answers")
    cluster.machine[2].sh("kill -CONT $(pgrep ^nsd)")
    cluster.wait_until(lambda: set(who(cluster)) == {"web1", "web2"}, "web2 answers again")


def test():
    guide = Guide("dns")
    with guide.machines(nodes=2, state=["/var/lib/nsd"]) as cluster:
        set_up(guide, cluster)
        look(guide, cluster)
        dies(cluster)
        maintenance(guide, cluster)
        hangs(cluster)


main(test)
