# SPDX-License-Identifier: Apache-2.0
"""Compares who answered with who has to: the product's own ownership code says (test/tools/owner.cpp)."""

import json
import os
import subprocess

import flows
import harness
from harness import check, check_one_owner
from witness import ACK, SYN, Witness

OWNER = os.path.join(harness.BUILD, "test/nlb_owner")
EXPLAIN = os.path.join(harness.BUILD, "test/nlb_explain")


def expected(cluster, protocol, asked, status=None):
    """flow -> the name of its owner (None: no node) in the view that a status shows, by default the first node's."""
    if status is None:
        status = next(filter(None, map(cluster.status, cluster.ids)))
    status_file = f"{cluster.directory}/status.json"
    with open(status_file, "w") as file:
        json.dump(status, file)
    lines = "".join(f"{protocol} {' '.join(map(str, flow))}\n" for flow in asked)
    done = subprocess.run([OWNER, cluster.config_file, status_file], input=lines, capture_output=True, text=True,
                          timeout=60)
    check(done.returncode == 0, done.stderr)
    owners = done.stdout.split()
    check(len(owners) == len(asked), "nlb_owner answered another number of flows than it was asked")
    return {flow: f"web{owner}" if owner != "0" else None for flow, owner in zip(asked, owners)}


def explained(cluster, asked):
    """(protocol, flow) -> what `nlbctl explain --json` says, with "node", the one that was asked: each node in turn."""
    answers = {}
    for node in cluster.ids:
        mine = asked[node - 1::len(cluster.ids)]
        lines = "".join(f"{protocol} {end(flow.source, flow.sport)} {end(flow.destination, flow.dport)}\n"
                        for protocol, flow in mine)
        done = subprocess.run([EXPLAIN, cluster.run_dir(node)], input=lines, capture_output=True, text=True, timeout=120)
        check(done.returncode == 0, f"explain at web{node}: {done.stderr}")
        told = [{**json.loads(line), "node": node} for line in done.stdout.splitlines()]
        check(len(told) == len(mine), "explain answered another number of flows than it was asked")
        answers.update(zip(mine, told))
    return answers


def end(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def check_tcp(cluster, asked):
    """Every flow is answered by its owner, and on the wire no other node sends a SYN-ACK. Returns flow -> name."""
    wanted = expected(cluster, "tcp", asked)
    with Witness(cluster.switch) as seen:
        got = flows.ask_tcp(cluster.client, asked, timeout=5 * harness.PATIENCE)
    _compare("TCP", wanted, got)
    answers = seen.tcp_answers(SYN | ACK, SYN | ACK)
    for flow in asked:
        ports = answers.get((flow.destination, flow.dport, flow.source, flow.sport), set())
        check_one_owner(ports, flow)
        check(ports == {wanted[flow]}, f"{flow}: SYN-ACKs from {sorted(ports)}, the owner is {wanted[flow]}")
    return got


def check_udp(cluster, asked):
    """Every flow is answered exactly once, by its owner. Returns flow -> name."""
    wanted = expected(cluster, "udp", asked)
    got = flows.ask_udp(cluster.client, asked)
    doubles = {flow: names for flow, names in got.items() if len(names) > 1}
    check(not doubles, f"{len(doubles)} of {len(asked)} datagrams had several answers, {next(iter(doubles.items()), '')}")
    got = {flow: names[0] if names else None for flow, names in got.items()}
    _compare("UDP", wanted, got)
    return got


def _compare(protocol, wanted, got):
    wrong = {flow: (got[flow], wanted[flow]) for flow in wanted if got[flow] != wanted[flow]}
    if wrong:
        flow, (answer, owner) = next(iter(wrong.items()))
        raise harness.Failed(f"{protocol}: {len(wrong)} of {len(wanted)} flows not answered by their owner; "
                             f"{flow} by {answer}, its owner is {owner}")


def spread(answers):
    """name -> how many flows it answered."""
    names = list(answers.values())
    return {name: names.count(name) for name in sorted(set(names), key=str)}


def check_shares(answers, nodes):
    """Each of these many nodes answered its share, give or take six standard deviations."""
    counts = spread(answers)
    share = len(answers) / nodes
    slack = 6 * (share * (1 - 1 / nodes)) ** 0.5
    check(len(counts) == nodes and all(abs(count - share) <= slack for count in counts.values()),
          f"uneven spread: {counts}, expected {share:.0f} each, give or take {slack:.0f}")


def check_weights(answers, weights):
    """name -> weight: each answered its share of the total, give or take three standard deviations."""
    counts, total = spread(answers), sum(weights.values())
    check(set(counts) <= set(weights), f"others than {sorted(weights)} answered: {counts}")
    for name, weight in weights.items():
        share = weight / total
        expected_count, slack = len(answers) * share, 3 * (len(answers) * share * (1 - share)) ** 0.5
        check(abs(counts.get(name, 0) - expected_count) <= slack,
              f"{name} answered {counts.get(name, 0)} of {len(answers)}, its weight {weight} of {total} stands for "
              f"{expected_count:.0f}, give or take {slack:.0f}")
