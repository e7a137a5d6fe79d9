// SPDX-License-Identifier: Apache-2.0
#include "filters.hpp"

#include "filter/bucket.hpp"
#include "filter/pcap/pcap.hpp"
#include "filter/xdp/xdp.hpp"
#include "host.hpp"

#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdexcept>

namespace bench {

namespace {

Installed on_exit(std::function<void()> undo) {
    return {nullptr, [undo = std::move(undo)](void *) { undo(); }};
}

Installed nlbd(filter::XdpMode mode, const Size &size) {
    std::shared_ptr<filter::Datapath> datapath =
        filter::xdp::attach("near", mode, Host::pin_dir("bench"), settings(size));
    datapath->set_lease(kForever);
    datapath->install(tables(size));
    return datapath;
}

// One source in a million is this node's: for all but those, a packet costs what a foreign one does.
Installed nft(const std::string &hook) {
    const std::string hash = " saddr mod 1000000 seed 0xdeadbeef != 0 drop",
                      rules = "; ip daddr 192.0.2.100 jhash ip" + hash +
                              "; ip6 daddr fd00::100 jhash ip6" + hash;
    std::string table = hook == "ingress" ? "netdev bench" : "inet bench";
    std::string where =
        hook == "ingress" ? "ingress device near priority 0" : "prerouting priority raw";
    shell("nft 'table " + table + " { chain first { type filter hook " + where + rules +
          "; }; }'");
    return on_exit([table] { shell("nft delete table " + table); });
}

// The example of iptables-extensions(8), for 32 nodes, which is the most: one packet in 32 passes.
Installed xt_cluster() {
    const std::string rules[] = {
        "PREROUTING -i near -m cluster --cluster-total-nodes 32 --cluster-local-node 1 "
        "--cluster-hash-seed 0xdeadbeef -j MARK --set-mark 0xffff",
        "PREROUTING -i near -m mark ! --mark 0xffff -j DROP"};
    for (const std::string &rule : rules)
        shell("iptables-legacy -t mangle -A " + rule);
    return on_exit([] { shell("iptables-legacy -t mangle -F PREROUTING"); });
}

// A node's share of the buckets, spread evenly without a pattern: splitmix64 of the bucket.
bool is_mine(const Size &size, unsigned bucket) {
    std::uint64_t z = bucket * 0x9e3779b97f4a7c15 + 1;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    return (z ^ z >> 27) % size.nodes < size.own;
}

} // namespace

Installed drop_everything(int program, const char *interface) {
    int index = static_cast<int>(if_nametoindex(interface));
    if (bpf_xdp_attach(index, program, XDP_FLAGS_DRV_MODE, nullptr) != 0)
        throw std::runtime_error("attach the yardstick");
    return on_exit([index] { bpf_xdp_detach(index, XDP_FLAGS_DRV_MODE, nullptr); });
}

std::unique_ptr<filter::Datapath> attach_pcap(const Size &size) {
    auto datapath = filter::pcap::attach("near", Host::tables_dir(), settings(size));
    datapath->set_lease(kForever);
    datapath->install(tables(size));
    return datapath;
}

filter::Settings settings(const Size &size) {
    filter::Settings result = ::settings();
    result.rules.clear();
    for (unsigned i = size.rules; i-- > 0;) {
        filter::Rule rule;
        rule.tcp = rule.udp = true;
        rule.first_port = rule.last_port = static_cast<std::uint16_t>(80 + 100 * i);
        result.rules.push_back(rule);
    }
    return result;
}

filter::Tables tables(const Size &size) {
    filter::Table one;
    one.has_owner = true;
    for (unsigned bucket = 0; bucket < filter::kBuckets; bucket++)
        if (is_mine(size, bucket)) one.mine[bucket / 64] |= std::uint64_t{1} << bucket % 64;
    return filter::Tables(size.rules + 1, one);
}

bool is_foreign(const Size &size, const filter::IpAddress &source) {
    static const filter::Buckets buckets(settings(size).hash_key); // the same for all sizes
    return !is_mine(size, buckets.of(filter::Affinity::single, source, 0));
}

std::vector<Contender> contenders(int drop_program) {
    using enum filter::XdpMode;
    return {
        {"XDP_DROP alone", [=](const Size &) { return drop_everything(drop_program, "near"); }},
        {"nlbd, native", [](const Size &size) { return nlbd(native, size); }},
        {"nlbd, generic", [](const Size &size) { return nlbd(generic, size); }},
        {"nftables jhash, ingress", [](const Size &) { return nft("ingress"); }},
        {"nftables jhash, prerouting", [](const Size &) { return nft("prerouting"); }},
        {"iptables -m cluster", [](const Size &) { return xt_cluster(); }},
    };
}

} // namespace bench
