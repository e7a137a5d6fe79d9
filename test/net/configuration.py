# SPDX-License-Identifier: Apache-2.0
"""The configuration file of a test cluster."""

import os

VIP4, VIP6 = "192.0.2.100", "2001:db8::100"
GROUP, PORT = "239.255.77.77", 7777
DATAPATH = os.environ.get("NLBD_DATAPATH", "")  # every test runs over each; empty: what `auto` chooses
DELIVERY = os.environ.get("NLBD_DELIVERY", "flood")  # some run with "forward" as well, on a bridge that floods nothing
PATIENCE = float(os.environ.get("NLBD_PATIENCE", "1"))  # how much longer everything may take: in an emulated machine

# One port for each affinity, TCP and UDP.
RULES = """
[[rule]]
name = "none"
protocol = "both"
ports = "7001"
affinity = "none"

[[rule]]
name = "single"
protocol = "both"
ports = "7002"
affinity = "single"

[[rule]]
name = "network"
protocol = "both"
ports = "7003"
affinity = "network"
"""


# Four times as patient as everything else: with the default times an agent that comes to its turn a second late loses its
# leader, and a processor that is emulated and shared makes it as late as that again and again.
_PATIENT_TIMES = f"interval_ms = {4 * 50 * PATIENCE:.0f}\ndead_after_ms = {4 * 500 * PATIENCE:.0f}"


def configuration(nodes=3, key_file="", name="web", interface="eth0", virtual_ips=(VIP4, VIP6), rules=RULES,
                  cluster="", heartbeat="", weights=None, datapaths=None, addresses=None, receivers=None, extra=""):
    """TOML text. cluster and heartbeat: more lines of those tables; weights, datapaths, addresses
    (TOML): by id; receivers: nodes' names by virtual IP; extra: more tables."""
    if DATAPATH and "datapath" not in cluster:
        cluster += f'\ndatapath = "{DATAPATH}"'
    if DELIVERY != "flood" and "delivery" not in cluster:
        cluster += f'\ndelivery = "{DELIVERY}"'
    if PATIENCE > 1 and "_ms" not in heartbeat:
        heartbeat += f"\n{_PATIENT_TIMES}"
    text = f"""
[cluster]
name = "{name}"
interface = "{interface}"
key_file = "{key_file}"
{cluster}

[heartbeat]
group = "{GROUP}"
port = {PORT}
{heartbeat}
"""
    for node in range(1, nodes + 1):
        text += f'\n[[node]]\nid = {node}\nname = "web{node}"\n'
        if weights and node in weights:
            text += f"weight = {weights[node]}\n"
        if addresses and node in addresses:
            text += f"address = {addresses[node]}\n"
        if datapaths and node in datapaths:
            text += f'datapath = "{datapaths[node]}"\n'
    for address in virtual_ips:
        text += f'\n[[virtual_ip]]\naddress = "{address}"\n'
        if receivers and address in receivers:
            text += f'receiver = ["{receivers[address]}"]\n'
    return text + rules + extra
