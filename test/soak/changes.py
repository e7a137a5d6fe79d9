# SPDX-License-Identifier: Apache-2.0
"""What happens to the cluster in a soak: one change at a time, chosen by dice from what is possible now.

    changes = Changes(cluster, dice)
    change = changes.choose()          # its name, the node, whose connections it may cost
    changes.make(change)               # done, and the cluster has settled
    changes.undo_all()

web1's agent lives from the beginning to the end: it is told everything that a command can tell it, and never killed.
"""

import collections
import signal
import time

import netns
from configuration import RULES
from harness import check

EXTRA = """
[[rule]]
name = "extra"
protocol = "both"
ports = "7100-7199"
affinity = "none"
"""
# What a reload changes to: ports 7001 and 7002 keep their affinity, on which the clients' expectations stand.
CONFIGURATIONS = {
    "as in the beginning": RULES,
    "one rule more": RULES + EXTRA,
    "other weights": RULES.replace('name = "none"', 'name = "none"\nweights = { web1 = 50, web3 = 20 }'),
    "another affinity": RULES.replace('affinity = "network"', 'affinity = "none"'),
    "a rule for one node": RULES.replace('name = "network"', 'name = "network"\nmode = "single"\npriority = ["web3"]'),
}

Change = collections.namedtuple("Change", "name node loses")  # loses: the names of nodes whose clients may notice


class Changes:
    def __init__(self, cluster, dice):
        self._cluster, self._dice = cluster, dice
        self._away = {}  # node -> what brings it back
        self.counts = collections.Counter()
        self._once = {
            "suspend and resume": (self._suspend, True, False), "another weight": (self._weigh, True, False),
            "drain, cancelled": (self._drain, True, False), "kill -9 and start": (self._kill, False, False),
            "SIGUSR2 and start": (self._hand_over, False, False), "agent stalls": (self._stall, True, False),
            "link down and up": (self._flap, False, True), "rule off and on": (self._rule, True, False)}
        self._leaving = {
            "stop": (self._order("stop"), self._order("start"), True, False),
            "SIGTERM": (self._terminate, cluster.start, False, True),
            "crash": (cluster.crash, cluster.revive, False, True)}

    @property
    def active(self):
        return [node for node in self._cluster.ids if node not in self._away]

    def choose(self, harmless=False):
        """harmless: only what no client may notice."""
        if self._away and (len(self.active) <= 2 or self._dice.random() < 0.45):
            return Change("return", self._dice.choice(sorted(self._away)), [])
        if not self._away and self._dice.random() < 0.25:
            return Change("reload", self._dice.choice(self.active), [])
        possible = {**self._once, **self._leaving}
        name = self._dice.choice(sorted(self._once) + 2 * sorted(self._leaving))
        while harmless and possible[name][-1]:
            name = self._dice.choice(sorted(possible))
        *_, web1_too, loses = possible[name]
        node = self._dice.choice([node for node in self.active if web1_too or node != 1])
        return Change(name, node, [f"web{node}"] if loses else [])

    def make(self, change):
        self.counts[change.name] += 1
        if change.name == "return":
            self._away.pop(change.node)(change.node)
        elif change.name == "reload":
            self._reload(change.node)
        elif change.name in self._leaving:
            leave, back, *_ = self._leaving[change.name]
            leave(change.node)
            self._away[change.node] = back
        else:
            self._once[change.name][0](change.node)
        self._cluster.wait_active(self.active, 60)

    def undo_all(self):
        """Every node is back, and no order is in force any more."""
        for node in list(self._away):
            self.make(Change("return", node, []))
        for node in self._cluster.ids:
            self._cluster.nlbctl("weight", node, "default", node=node)
        self._cluster.wait_active(self._cluster.ids, 60)

    # One after the other: what each does

    def _order(self, verb):
        return lambda node: self._cluster.nlbctl(verb, node=node)

    def _terminate(self, node):
        check(self._cluster.terminate(node) == 0, "SIGTERM did not end in exit code 0")

    def _suspend(self, node):
        self._cluster.nlbctl("suspend", node=node)
        self._cluster.wait_active([other for other in self.active if other != node], 60)
        self._cluster.nlbctl("resume", node=node)

    def _drain(self, node):
        self._cluster.nlbctl("drain", node=node)
        self._cluster.wait_active([other for other in self.active if other != node], 60)
        self._cluster.nlbctl("start", node=node)

    def _weigh(self, node):
        weight = self._dice.choice([20, 50, 80, "default"])
        self._cluster.nlbctl("weight", node, weight, node=self._dice.choice(self.active))

    def _kill(self, node):
        self._cluster.kill(node)
        self._cluster.start(node)

    def _hand_over(self, node):
        agent = self._cluster.agents.pop(node)
        agent.send_signal(signal.SIGUSR2)
        check(agent.wait(20) == 0, "SIGUSR2 did not end in exit code 0")
        self._cluster.start(node)

    def _stall(self, node):
        self._cluster.agents[node].send_signal(signal.SIGSTOP)
        time.sleep(self._dice.uniform(0.1, 0.8))  # not waiting for anything: that is the fault
        self._cluster.agents[node].send_signal(signal.SIGCONT)

    def _flap(self, node):
        netns.ip(self._cluster.switch, f"link set web{node} down")
        time.sleep(self._dice.uniform(0.05, 3))  # shorter or longer than dead_after
        netns.ip(self._cluster.switch, f"link set web{node} up")

    def _rule(self, node):
        where = node if self._away else self._dice.choice([node, "all"])
        self._cluster.nlbctl(self._dice.choice(["disable", "drain-rule"]), "network", where, node=node)
        self._cluster.wait_until(lambda: self._state("network", node) != "enabled", "the rule is out of service")
        self._cluster.nlbctl("enable", "network", where, node=node)
        self._cluster.wait_until(lambda: self._state("network", node) == "enabled", "the rule is in service again")

    def _state(self, name, node):
        return next(rule["state"] for rule in self._cluster.status(node)["rules"] if rule["name"] == name)

    def _reload(self, node):
        rules = CONFIGURATIONS[self._dice.choice(sorted(CONFIGURATIONS))]
        self._cluster.write_config(self._cluster.config_file, rules=rules)
        self._cluster.nlbctl("reload", "all", node=node)
