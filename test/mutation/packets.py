# SPDX-License-Identifier: Apache-2.0
"""The filter's rules, and what has to notice that one is missing.

A mutant is built as the product is, loaded into the kernel and judged by the differential test, where the verdict that
was written a second time (test/judges) says something else; by what else looks at packets only when that is silent.
"""

import os
import pathlib
import re
import shutil
import subprocess

VERDICT, FRAGMENTS = "filter/verdict/verdict.h", "filter/verdict/fragments.h"
PROGRAM, QUESTION = "filter/verdict/program.h", "filter/verdict/question.h"
FORWARD, SEND = "filter/verdict/forward.h", "filter/verdict/send.h"
TC, FRONT = "filter/verdict/tc.bpf.c", "filter/verdict/forward.bpf.c"
_LINGERS = "nlb_has_group(state->lingering, bucket))"
_LEASE = "*(const volatile __u64 *)&state->lease_ns"
_MARK = "known && ((now - *mark) & time_mask) <= NLB_MARK_COUNTS_FOR"
_FATE = "if (NLB_WORD_REASON(word) <= NLB_LAST_PASSED) return NLB_FATE_TAKEN;"

# name: (file, what is there, what is put there instead); white space does not matter.
RULES = {
    "the virtual IP's family": (VERDICT, "slot->family != packet->family ||", ""),
    "the virtual IP's address": (VERDICT, "|| slot->address[0] != packet->destination[0]", ""),
    "the second half of an IPv6 address": (
        VERDICT, "if (packet->family == 6 && slot->address[1] != packet->destination[1]) return -1;", ""),
    "no rule covers what has no ports": (
        VERDICT, "if (packet->kind != NLB_KIND_TCP && packet->kind != NLB_KIND_UDP) return NLB_UNCOVERED;", ""),
    "UDP has rules of its own": (VERDICT, "packet->kind == NLB_KIND_TCP ? NLB_TCP : NLB_UDP;", "NLB_TCP;"),
    "a SYN with ACK opens nothing": (
        VERDICT, "(NLB_TCP_SYN | NLB_TCP_ACK | NLB_TCP_RST)", "(NLB_TCP_SYN | NLB_TCP_RST)"),
    "a SYN with RST opens nothing": (
        VERDICT, "(NLB_TCP_SYN | NLB_TCP_ACK | NLB_TCP_RST)", "(NLB_TCP_SYN | NLB_TCP_ACK)"),
    "a bucket's group": (VERDICT, "groups[group / 64]", "groups[(group ^ 64) / 64]"),
    "what lingers opens no connection": (VERDICT, "if (nlb_is_syn(packet)) return on_syn;", ""),
    "what lingers is here": (
        VERDICT, "return nlb_has_socket(context) ? NLB_ACCEPTED_LINGERING",
        "return nlb_has_socket(context) || otherwise ? NLB_ACCEPTED_LINGERING"),
    "a refusal needs the lease": (
        VERDICT, f"served == NLB_REFUSED_HERE && nlb_boot_ns(context) < {_LEASE}", "served == NLB_REFUSED_HERE"),
    "only what opens is refused": (
        VERDICT, "tcp ? nlb_is_syn(packet) : packet->kind == NLB_KIND_UDP;", "1;"),
    "what nobody serves lingers, too": (
        VERDICT, f"if (tcp && {_LINGERS} return nlb_linger(context, packet, NLB_NO_OWNER",
        f"if (0 && tcp && {_LINGERS} return nlb_linger(context, packet, NLB_NO_OWNER"),
    "the owners in force": (
        VERDICT, "*(const volatile __u32 *)&state->active_owners & (NLB_OWNER_BUFFERS - 1)", "0"),
    "each rule has its own owners": (VERDICT, "owners->mine[table][bucket / 64]", "owners->mine[0][bucket / 64]"),
    "a bucket has a bit of its own": (VERDICT, "owners->mine[table][bucket / 64]", "owners->mine[table][(bucket ^ 64) / 64]"),
    "another's packet is dropped": (VERDICT, "if (!mine) {", "if (!mine && bucket == 0) {"),
    "what nobody serves is nobody's": (
        VERDICT, "if (served != NLB_BY_SOMEBODY)", "if (0 && served != NLB_BY_SOMEBODY)"),
    "what has moved lingers": (
        VERDICT, f"if (tcp && {_LINGERS} return nlb_linger(context, packet, NLB_LINGERING_SYN",
        f"if (0 && tcp && {_LINGERS} return nlb_linger(context, packet, NLB_LINGERING_SYN"),
    "no right to serve without the lease": (VERDICT, f"nlb_boot_ns(context) >= {_LEASE}", "nlb_boot_ns(context) == 0"),
    "the lease ends by the clock of now": (
        PROGRAM, "return bpf_ktime_get_boot_ns();", "return bpf_ktime_get_coarse_ns();"),
    "connections outlive the lease": (
        VERDICT, "if (tcp) return nlb_linger(context, packet, NLB_LEASE_EXPIRED, NLB_LEASE_EXPIRED);", ""),
    "a service that has gone takes no SYN": (
        VERDICT, "!state->services[table].expected || nlb_has_listener(context, table)", "1"),
    "only a service that is expected is looked for": (
        VERDICT, "!state->services[table].expected || nlb_has_listener", "nlb_has_listener"),
    "the guard": (VERDICT, "if (nlb_has_group(state->guarded, bucket))", "if (0 && nlb_has_group(state->guarded, bucket))"),
    "what is here passes the guard": (
        VERDICT, "nlb_has_socket(context) ? NLB_ACCEPTED_GUARDED :", "nlb_has_socket(context) && 0 ? NLB_ACCEPTED_GUARDED :"),
    "the configuration in force": (
        VERDICT, "*(const volatile __u32 *)&state->active_config & (NLB_CONFIG_BUFFERS - 1)", "0"),
    "a later fragment follows the first": (
        VERDICT, "fate == NLB_FATE_UNKNOWN || fate == NLB_FATE_TAKEN ?", "1 || fate ?"),
    "an ICMP error is everybody's": (
        VERDICT, "if (packet->kind == NLB_KIND_ICMP_ERROR) return NLB_ICMP_ERROR;", ""),
    "neighbour discovery is everybody's": (
        VERDICT, "if (packet->kind == NLB_KIND_NEIGHBOUR_DISCOVERY) return NLB_NEIGHBOUR_DISCOVERY;", ""),
    "a disabled rule": (VERDICT, "if (rule.disabled) return nlb_word(NLB_RULE_DISABLED, table, bucket + 1);",
                        "nlb_forget(bucket);"),
    "the affinity": (VERDICT, "&config->hash, rule.affinity,", "&config->hash, 0 * rule.affinity,"),
    "a first fragment that is dropped is remembered": (
        FORWARD, _FATE, "return NLB_FATE_TAKEN;"),
    "a first fragment that is taken is not": (FORWARD, _FATE, ""),
    "what is too short for a type": (VERDICT, "return type == 0 ? NLB_TOO_SHORT : NLB_NOT_IP;", "return NLB_NOT_IP;"),
    "a mark is of one datagram": (FRAGMENTS, "(*mark ^ hash) >> NLB_MARK_BITS == 0", "(*mark ^ hash) != 0"),
    "an old mark does not count": (FRAGMENTS, _MARK, "known"),
    "a mark counts for four": (FRAGMENTS, _MARK, "known && ((now - *mark) & time_mask) < NLB_MARK_COUNTS_FOR"),
    "a taken first fragment removes the mark": (FRAGMENTS, "else if (known) *mark = 0;", ""),
    "and only its own": (FRAGMENTS, "else if (known)", "else"),
    "a later fragment goes where the first one went": (
        FORWARD, "return fate <= NLB_MAX_NODES ? nlb_node_bit(fate) : 0;", "return 0;"),
    "one whose first was not seen goes to all": (FORWARD, "if (fate == NLB_FATE_UNKNOWN ||", "if ("),
    "one whose first was taken here goes to none": (FRAGMENTS, "fate != NLB_FATE_TAKEN || rewrites", "fate != NLB_FATE_TAKEN"),
    "a SYN goes to the owner alone": (FORWARD, "|| opening == NLB_TCP_SYN) return 0;", "|| opening == 0xff) return 0;"),
    "open connections go to their holders": (FORWARD, "return paths->lingering[", "return 0 * paths->lingering["),
    "what is guarded here is its holders'": (FORWARD, "case NLB_GUARDED:", ""),
    "a rule disabled here is its owner's": (FORWARD, "case NLB_RULE_DISABLED:", ""),
    "an ICMP error goes to all": (FORWARD, "case NLB_ICMP_ERROR: return paths->others;", ""),
    "the last hop": (FORWARD, "if (packet->hops <= 1)", "if (packet->hops < 1)"),
    "what others claim is told": (QUESTION, "if (asks || is_virtual_ip(config, 4, arp + 14))", "if (asks)"),
    "only of virtual IPs": (QUESTION, "if (!is_virtual_ip(config, 6, ip + 48))", "if (0 && !is_virtual_ip(config, 6, ip + 48))"),
    "a question is not the kernel's": (QUESTION, "return ip[40] == NLB_NEIGHBOUR_SOLICITATION;", "return 0;"),
    "what is told keeps its tag": (QUESTION, "if (frame->vlan_present) {", "if (0 && frame->vlan_present) {"),
    "what a node has sent is not sent on": (SEND, "if (known->macs[node] == source) return 1;", ""),
    "nor what this one has": (SEND, "return source == state.own_mac;", "return 0;"),
    "what came to several is not": (TC, "if (frame->pkt_type == 1 || frame->pkt_type == 2) return 0;", ""),
    "what is elsewhere is left alone": (TC, "return forwards && frame->pkt_type == 3;", "return 0;"),
    "a hop less": (SEND, "ip[0]--;", ""),
    "a hop less over IPv6, from the driver": (FRONT, "ip[7]--;", ""),
    "the driver leaves to tc what came to other machines": (FRONT, "&& nlb_mac_at(mac) == state.own_mac;", ";"),
    "and what goes to several nodes": (FRONT, "node > NLB_MAX_NODES ||", "node == NLB_FATE_TAKEN || node == NLB_FATE_DROPPED ||"),
    "and what a capture shows": (FRONT, "|| state.captured >> NLB_WORD_REASON(word) & 1", ""),
    "the driver counts": (FRONT, "if (done == XDP_TX) count(NLB_WORD_COUNTER(word));", ""),
    "the mark for the second lock": (TC, "if (taken && forwards) frame->mark = NLB_LOCK_MARK;", ""),
    "the datagram's number": (FRAGMENTS, "packet->fragment_id |", ""),
    "IPv4 counts the protocol": (FRAGMENTS, "packet->family == 4 ? packet->protocol : 0", "0"),
    "IPv6 does not": (FRAGMENTS, "packet->family == 4 ? packet->protocol : 0", "packet->protocol"),
    "the datagram's source": (FRAGMENTS, "packet->source[0], packet->source[1],", "0, 0,"),
    "the datagram's destination": (
        FRAGMENTS, "packet->destination[0], packet->destination[1]}", "0 * packet->destination[0], 0}"),
    "the hash is keyed": (
        FRAGMENTS, "return nlb_siphash(key, addresses",
        "const __u64 none[2] = {0 * key[0], 0}; return nlb_siphash(none, addresses"),
}
JUDGES = {  # a target of the build -> its arguments
    "nlb_differential": ("--packets", "1000000"), "bpf_tests": (), "unit_tests": ("--run_test=filter_*", )}


class Filter:
    """A copy of the sources and its build, in which one rule at a time is missing."""

    def __init__(self, source, directory):
        self._tree = pathlib.Path(directory) / "tree"
        shutil.copytree(source, self._tree, ignore=shutil.ignore_patterns("build", ".git"))
        subprocess.run(["cmake", "-S", self._tree, "-B", self._tree / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"],
                       check=True, capture_output=True)

    def noticed(self, name, mutate):
        """The judge that notices that the rule is missing, and by what; None: none does."""
        file, old, new = RULES[name]
        whole = (self._tree / file).read_text()
        mutate(self._tree, name, [(file, old, new)])
        try:
            return next(filter(None, (self._judge(*judge) for judge in JUDGES.items())), None)
        finally:
            (self._tree / file).write_text(whole)

    def _judge(self, target, arguments):
        built = subprocess.run(["cmake", "--build", self._tree / "build", "--target", target], capture_output=True, text=True)
        if built.returncode != 0:
            raise SystemExit(f"{target} cannot be built: {built.stdout[-2000:]}")
        environment = {**os.environ, "NLBD_SOURCE_DIR": str(self._tree), "NLBD_BUILD_DIR": str(self._tree / "build")}
        run = subprocess.run([self._tree / "build/test" / target, *arguments], capture_output=True, text=True,
                             env=environment)
        if run.returncode == 77:
            raise SystemExit(f"{target} was skipped: {run.stderr.strip()}")
        said = re.search(r"differ.*|error: in .*|.*: .*", run.stdout + run.stderr)
        return f"{target}: {said[0].strip()[:150] if said else ''}" if run.returncode else None
