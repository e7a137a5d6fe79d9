// SPDX-License-Identifier: Apache-2.0
//
// A rule covers a range of ports of some virtual IPs. Comparing a packet with up to 32 rules would
// cost a packet of the last rule most, and an attacker picks the port. So the ranges' ends cut the
// ports into at most 65 classes a protocol, all ports of a class meet the same rules, and the rule
// of every (virtual IP, protocol, class) is written down here: two array look-ups, whatever the
// rules are.
//
// Virtual IPs are found by one probe into 256 slots: we try multipliers until none collide.
#include "filter/tables.hpp"

#include "filter/bucket.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <iterator>
#include <stdexcept>

namespace filter {

static_assert(kMaxRules == NLB_MAX_RULES &&
              kMaxVirtualIps == NLB_MAX_VIRTUAL_IPS && kMaxNodes == NLB_MAX_NODES);

namespace {

struct Words {
    __u64 word[2];
};

Words words_of(const IpAddress &address) {
    Words words;
    std::memcpy(words.word, address.bytes.data(), sizeof words.word);
    return words;
}

// splitmix64 (Steele, Lea, Flood 2014): the same sequence on every node and at every start.
__u64 next_multiplier(__u64 &seed) {
    __u64 z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) | 1;
}

bool fill_slots(const std::vector<IpAddress> &addresses, nlb_config &config) {
    std::memset(config.slots, 0, sizeof config.slots);
    for (std::size_t i = 0; i < addresses.size(); i++) {
        Words words = words_of(addresses[i]);
        nlb_slot &slot = config.slots[nlb_slot_of(config.slot_multiplier, words.word)];
        if (slot.family != 0) return false;
        slot = {{words.word[0], words.word[1]},
                static_cast<__u8>(addresses[i].is_v4() ? 4 : 6),
                static_cast<__u8>(i),
                {}};
    }
    return true;
}

// About every seventh try succeeds with 32 addresses; only an address given twice never does.
void write_virtual_ips(const std::vector<IpAddress> &addresses, nlb_config &config) {
    __u64 seed = 1;
    for (int tries = 0; tries < 10000; tries++) {
        config.slot_multiplier[0] = next_multiplier(seed);
        config.slot_multiplier[1] = next_multiplier(seed);
        if (fill_slots(addresses, config)) return;
    }
    throw std::runtime_error("place virtual IPs: an address is there twice");
}

std::vector<unsigned> first_ports_of_classes(const std::vector<Rule> &rules) {
    std::vector<unsigned> first = {0};
    for (const Rule &rule : rules) {
        first.push_back(rule.first_port);
        first.push_back(rule.last_port + 1u);
    }
    std::sort(first.begin(), first.end());
    first.erase(std::unique(first.begin(), first.end()), first.end());
    std::erase(first, 65536u);
    return first;
}

void write_classes(const std::vector<Rule> &rules, int protocol, nlb_config &config) {
    std::vector<unsigned> first = first_ports_of_classes(rules);
    for (unsigned port = 0, next = 1, current = 0; port < 65536; port++) {
        if (next < first.size() && port == first[next]) current = next++;
        config.port_class[protocol][htons(static_cast<__u16>(port))] = static_cast<__u8>(current);
    }
    for (std::size_t ip = 0; ip < kMaxVirtualIps; ip++) {
        std::fill_n(config.rule_of[ip][protocol], NLB_CLASSES, __u8{NLB_UNCOVERED});
        for (std::size_t i = 0; i < first.size(); i++)
            for (std::size_t rule = 0; rule < rules.size(); rule++)
                if (covers(rules[rule], ip, protocol, first[i]))
                    config.rule_of[ip][protocol][i] = static_cast<__u8>(rule);
    }
}

} // namespace

bool covers(const Rule &rule, std::size_t virtual_ip, int protocol, unsigned port) {
    return (protocol == NLB_TCP ? rule.tcp : rule.udp) && (rule.virtual_ips >> virtual_ip & 1) &&
           rule.first_port <= port && port <= rule.last_port;
}

void write_config(const Settings &settings, nlb_config &config) {
    if (settings.rules.size() > kMaxRules || settings.virtual_ips.size() > kMaxVirtualIps)
        throw std::runtime_error("fill the tables: more than 32 rules or virtual IPs");
    std::memcpy(config.key, settings.hash_key.data(), sizeof config.key);
    config.hash = hash_tables(settings.hash_key);
    write_virtual_ips(settings.virtual_ips, config);
    write_classes(settings.rules, NLB_TCP, config);
    write_classes(settings.rules, NLB_UDP, config);
    for (std::size_t i = 0; i < settings.rules.size(); i++)
        config.rules[i] = {static_cast<__u8>(settings.rules[i].affinity),
                           settings.rules[i].disabled};
    config.rules[NLB_UNCOVERED] = {NLB_AFFINITY_SINGLE, 0};
    config.forwards = settings.forward;
}

void write_owners(const Tables &tables, std::size_t rules, nlb_owners &owners) {
    if (tables.size() != rules + 1)
        throw std::logic_error("install tables: there must be one more than rules");
    owners = {}; // also the places that another configuration had filled
    for (std::size_t i = 0; i < tables.size(); i++) {
        std::size_t place = i == rules ? NLB_UNCOVERED : i;
        std::memcpy(owners.mine[place], tables[i].mine.data(), sizeof owners.mine[place]);
        owners.served[place] = tables[i].has_owner ? NLB_BY_SOMEBODY
                               : tables[i].refuses ? NLB_REFUSED_HERE
                                                   : NLB_BY_NOBODY;
    }
}

nlb_service service_entry(bool expected, const std::optional<Service> &known) {
    nlb_service entry{};
    entry.expected = expected;
    if (!known) return entry;
    const Words words = words_of(known->address);
    std::memcpy(entry.address, words.word, sizeof entry.address);
    entry.port = htons(known->port);
    entry.family = known->address.is_v4() ? 4 : 6;
    return entry;
}

std::uint64_t mac_word(const MacAddress &mac) {
    std::uint64_t word = 0;
    std::memcpy(&word, mac.data(), mac.size());
    return word;
}

nlb_paths paths_entry(const Paths &paths) {
    nlb_paths entry{};
    for (unsigned node = 1; node <= kMaxNodes; node++) {
        entry.macs[node] = mac_word(paths.macs[node]);
        if (entry.macs[node]) entry.others |= 1u << (node - 1);
    }
    std::ranges::copy(paths.lingering, std::begin(entry.lingering));
    return entry;
}

Paths to_paths(const nlb_paths &entry) {
    Paths paths;
    for (unsigned node = 1; node <= kMaxNodes; node++)
        std::memcpy(paths.macs[node].data(), &entry.macs[node], paths.macs[node].size());
    std::ranges::copy(entry.lingering, paths.lingering.begin());
    return paths;
}

std::uint64_t shown_reasons(Shown what) {
    constexpr std::uint64_t taken = (2ull << NLB_LAST_TAKEN) - 1, passed = (2ull << NLB_LAST_PASSED) - 1;
    switch (what) {
    case Shown::nothing:
        return 0;
    case Shown::accepted:
        return taken;
    case Shown::foreign:
        return 1ull << NLB_FOREIGN | 1ull << NLB_FOREIGN_FRAGMENT | 1ull << NLB_FORWARDED;
    case Shown::everything:
        break;
    }
    return taken | ~passed;
}

Verdict to_verdict(const nlb_verdict &verdict) {
    return {reason_name(verdict.reason), drops(verdict.reason),
            verdict.table == NLB_UNCOVERED ? -1 : verdict.table, verdict.bucket};
}

} // namespace filter
