# SPDX-License-Identifier: Apache-2.0
"""Everything at once: 32 rules on 4 virtual IPs, 8 nodes, 10,000 flows, each answered by whom `explain` named before.

    client --- bridge --- web1 ... web8

Every node is asked for its opinion on an eighth of the flows, and says "pass" exactly where it is the owner itself.
The arbiter (test/tools/owner.cpp) is asked for all of them. The key is fixed, so that every run draws the same lots.
"""

import collections

import flows
from harness import Cluster, check, main
from owners import check_tcp, check_udp, check_weights, explained

V4A, V4B, V6A, V6B = ADDRESSES = ("192.0.2.100", "192.0.2.101", "2001:db8::100", "2001:db8::101")
FLOWS = 10_000
ALL = {f"web{node}": 100 for node in range(1, 9)}
AFFINITIES = ("none", "single", "network")
WHERE = (ADDRESSES, (V4A,), (V6A, V6B), (V4A, V6A), (V6B,))  # no UDP to V4B: "rest" has all of that

Rule = collections.namedtuple("Rule", "name protocol first last where affinity more weights",
                              defaults=("single", "", ALL))


def make_rules():
    rules = []
    for number in range(27):
        first, protocol = 7000 + 20 * number, ("tcp", "udp", "both")[number // 3 % 3]
        last = first + (0, 9, 1)[number % 3]
        where = tuple(address for address in WHERE[number % 5] if protocol == "tcp" or address != V4B)
        rules.append(Rule(f"rule{number}", protocol, first, last, where, AFFINITIES[number % 3]))
    own = {"web1": 10, "web2": 90, "web8": 0}
    rules.append(Rule("weights", "both", 8000, 8000, (V4A, V6A), "none",
                      "weights = { web1 = 10, web2 = 90, web8 = 0 }", {**ALL, **own}))
    rules.append(Rule("lowest", "both", 8010, 8019, (V4A, V6B), "single", 'mode = "single"', {"web1": 1}))
    rules.append(Rule("chosen", "tcp", 8020, 8020, ADDRESSES, "none",
                      'mode = "single"\npriority = ["web5", "web2"]', {"web5": 1}))
    rules.append(Rule("off", "tcp", 8030, 8039, ADDRESSES, "single", 'mode = "disabled"', {}))
    rules.append(Rule("rest", "udp", 0, 65535, (V4B,), "single"))
    return rules


def text_of(rule):
    ports = "any" if rule.last == 65535 else str(rule.first) if rule.first == rule.last else f"{rule.first}-{rule.last}"
    where = "" if rule.where == ADDRESSES else f"virtual_ips = {list(rule.where)}\n".replace("'", '"')
    return (f'\n[[rule]]\nname = "{rule.name}"\nprotocol = "{rule.protocol}"\nports = "{ports}"\n'
            f'affinity = "{rule.affinity}"\n{where}{rule.more}\n')


def ports_of(rule):
    return [7005, 9000] if rule.last == 65535 else sorted({rule.first, rule.last})


def make_flows(rules):
    """(protocol, flow) -> its rule; at least FLOWS of them, over every rule, protocol, virtual IP and end of a range."""
    kinds = [(protocol, address, port, rule) for rule in rules if rule.weights
             for protocol in (("tcp", "udp") if rule.protocol == "both" else (rule.protocol,))
             for address in rule.where for port in ports_of(rule)]
    kinds.append(("tcp", V4B, 9000, Rule("uncovered", "tcp", 9000, 9000, (V4B,), weights={"web1": 1})))
    each = -(-FLOWS // len(kinds))
    return {(protocol, flow): rule for number, (protocol, address, port, rule) in enumerate(kinds)
            for flow in flows.many(each, address, port, seed=number)}


def check_named(asked, named):
    """What explain says of every flow is the configuration's rule, and weights that no node is left out of."""
    for (protocol, flow), rule in asked.items():
        told = named[protocol, flow]
        check(told["rule"] == (rule.name if rule.name != "uncovered" else None),
              f"{protocol} {flow} is of rule {rule.name}, explain says {told}")
        check(told["owner_name"] in rule.weights, f"{protocol} {flow}, rule {rule.name}: explain says {told}")
        here = told["node"] == told["owner"]
        check((told["verdict"] == "pass") == here, f"node {told['node']} explains {flow}: {told}")


def check_spread(asked, named, answers):
    """By rules of equal weights, a bucket counts once: several flows in one are one lot."""
    lots = collections.defaultdict(dict)
    for key, rule in asked.items():
        weights = tuple(sorted(rule.weights.items()))
        lots[weights][named[key]["bucket"]] = answers[key]
    for weights, by_bucket in lots.items():
        check_weights(by_bucket, dict(weights))
        print(f"{len(by_bucket)} buckets, weights {dict(weights)}: three deviations hold")


def check_off(cluster, rule):
    asked = flows.many(50, V6A, rule.first)
    named = explained(cluster, [("tcp", flow) for flow in asked])
    check(all(told["owner"] is None and told["why"][0] == "rule_disabled" for told in named.values()), "off is not off")
    answers = flows.ask_tcp(cluster.client, asked, timeout=0.5)
    check(not any(answers.values()), f"a disabled rule is answered: {answers}")


def test():
    rules = make_rules()
    check(len(rules) == 32, f"{len(rules)} rules")
    ports = sorted({port for rule in rules if rule.weights for port in ports_of(rule)})
    with Cluster(nodes=8, rules="".join(map(text_of, rules)), virtual_ips=ADDRESSES, ports=ports, key="6c" * 32) as cluster:
        cluster.start_all()
        cluster.wait_active(cluster.ids, seconds=60)
        asked = make_flows(rules)
        named = explained(cluster, list(asked))
        check_named(asked, named)

        answers = {}
        for protocol, ask in (("tcp", check_tcp), ("udp", check_udp)):
            got = ask(cluster, [flow for kind, flow in asked if kind == protocol])
            answers.update({(protocol, flow): name for flow, name in got.items()})
        wrong = {key: name for key, name in answers.items() if name != named[key]["owner_name"]}
        check(not wrong, f"{len(wrong)} of {len(asked)} flows not answered by whom explain named: {list(wrong)[:3]}")
        print(f"{len(answers)} flows, {len(rules)} rules: each answered by the node that explain named")
        check_spread(asked, named, answers)
        check_off(cluster, next(rule for rule in rules if rule.name == "off"))


main(test)
