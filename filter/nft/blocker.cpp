// SPDX-License-Identifier: Apache-2.0
#include "filter/nft/blocker.hpp"

#include "filter/failure.hpp"
#include "filter/nft/nftables.hpp"
#include "filter/verdict/layout.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdexcept>
#include <sys/socket.h>

namespace filter::nft {

namespace {

constexpr const char *kComment = "made by nlbd";

// A name that nft's grammar takes.
std::string table_for(Blocked what, const std::string &interface) {
    std::string name = (what == Blocked::unmarked ? "nlbd-lock-" : "nlbd-") + interface;
    std::ranges::replace_if(
        name, [](unsigned char c) { return !std::isalnum(c) && c != '-' && c != '_' && c != '.'; },
        '_');
    return "netdev " + name;
}

// Empty when there is none.
std::string list(const std::string &table) {
    const std::string all = nft("list tables", "list tables netdev\n");
    if (("\n" + all).find("\ntable " + table + "\n") == std::string::npos) return {};
    return nft("list table " + table, "list table " + table + "\n");
}

void require_ours(const std::string &table, const std::string &listed) {
    if (listed.empty() || listed.find(std::string("comment \"") + kComment) != std::string::npos)
        return;
    throw std::runtime_error("keep frames from the host: table " + table +
                             " is there and not nlbd's: `nft delete table " + table + "`");
}

// Drops what has one of these addresses there; nothing for none.
std::string drop_rule(const std::string &there, const std::vector<IpAddress> &virtual_ips, bool v4,
                      std::string (*text)(const IpAddress &)) {
    std::string addresses;
    for (const IpAddress &address : virtual_ips)
        if (address.is_v4() == v4) addresses += (addresses.empty() ? "" : ", ") + text(address);
    return addresses.empty() ? "" : "    " + there + " { " + addresses + " } drop\n";
}

std::string drop_rule(const std::vector<IpAddress> &virtual_ips, bool v4) {
    return drop_rule(v4 ? "ip daddr" : "ip6 daddr", virtual_ips, v4, to_string);
}

// 0x20010db8000000000000000000000064
std::string number_of(const IpAddress &address) {
    std::string number = "0x";
    std::array<char, 3> digits;
    for (const std::uint8_t byte : address.bytes) {
        std::snprintf(digits.data(), digits.size(), "%02x", byte);
        number += digits.data();
    }
    return number;
}

// Questions for a virtual IP. The agent has heard the question before the chain is run. The kernel does not,
// because it would answer for any interface that has the address, too.
std::string question_rule(const std::vector<IpAddress> &virtual_ips, bool v4) {
    if (v4) return drop_rule("arp daddr ip", virtual_ips, v4, to_string);
    return drop_rule("ip6 nexthdr 58 icmpv6 type 135 @th,64,128", virtual_ips, v4, number_of);
}

// What the tc program has let in; the mark is taken off.
std::string let_marked_in() {
    return "    meta mark " + std::to_string(NLB_LOCK_MARK) + " meta mark set 0 accept\n";
}

// The stack takes off any number of tags of VLAN 0, but by then this chain is over. The first one has been
// taken off already.
constexpr const char *kHidden = "    @ll,116,12 0 meta protocol { 8021q, 8021ad } @nh,4,12 0 drop\n";

// RFC 4861: types 133 to 137, right behind the IPv6 header, as the filter itself has it.
std::string rules_for(Blocked what, const std::string &interface, const std::vector<IpAddress> &virtual_ips) {
    const bool unmarked = what == Blocked::unmarked;
    return std::string("  chain ") + (unmarked ? "unmarked" : "originals") +
           " {\n    type filter hook ingress device \"" + interface + "\" priority -500; policy accept;\n" +
           (unmarked ? let_marked_in() : "") + kHidden + question_rule(virtual_ips, true) +
           question_rule(virtual_ips, false) + "    ip6 nexthdr 58 icmpv6 type 133-137 accept\n" +
           drop_rule(virtual_ips, true) + drop_rule(virtual_ips, false) + "  }\n";
}

std::string content(Blocked what, const std::string &interface, const std::vector<IpAddress> &virtual_ips) {
    return std::string("  comment \"") + kComment +
           (what == Blocked::unmarked ? ": what its filter has not let in\"\n"
                                      : ": accepted frames enter by a TAP device, these are their originals\"\n") +
           rules_for(what, interface, virtual_ips);
}

} // namespace

Blocker::Blocker(Blocked what, const std::string &interface, const std::vector<IpAddress> &virtual_ips)
    : what_(what), interface_(interface), table_(table_for(what, interface)),
      rules_(content(what, interface, virtual_ips)),
      netlink_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER)) {
    if (!netlink_) fail("open a netlink socket", errno);
    const std::string found = list(table_);
    require_ours(table_, found);
    ours_ = found.empty();
    write();
}

Blocker::~Blocker() {
    if (!ours_) return;
    try {
        nft("remove table " + table_, "add table " + table_ + "\ndelete table " + table_ + "\n");
    } catch (const std::exception &) {
        // Gone already, or the host stays silent: a destructor has no caller to report to.
    }
}

void Blocker::write() {
    nft("keep frames from the host", "add table " + table_ + "\ndelete table " + table_ +
                                         "\ntable " + table_ + " {\n" + rules_ + "}\n");
    seen_ = generation();
    written_ = list(table_);
}

void Blocker::block(const std::vector<IpAddress> &virtual_ips) {
    rules_ = content(what_, interface_, virtual_ips);
    try {
        write();
    } catch (const std::exception &) {
        written_.clear();
        seen_ = 0;
    }
}

void Blocker::heal() {
    if (in_place()) return;
    require_ours(table_, list(table_));
    write();
}

bool Blocker::in_place() const {
    const std::uint32_t now = generation();
    if (now != 0 && now == seen_) return true;
    if (list(table_) != written_) return false;
    seen_ = now;
    return true;
}

// Of all rules of this network namespace; the kernel counts it up with every change. 0: not known.
std::uint32_t Blocker::generation() const {
    struct {
        nlmsghdr header;
        nfgenmsg about;
    } ask{};
    ask.header.nlmsg_len = sizeof ask;
    ask.header.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
    ask.header.nlmsg_flags = NLM_F_REQUEST;
    if (send(netlink_.get(), &ask, sizeof ask, 0) < 0) return 0;
    std::array<std::uint8_t, 1024> answer;
    const ssize_t size = recv(netlink_.get(), answer.data(), answer.size(), 0);
    nlattr attribute;
    std::uint32_t number = 0;
    const std::size_t at = sizeof ask; // the number is the first attribute
    if (size < static_cast<ssize_t>(at + sizeof attribute + sizeof number)) return 0;
    std::memcpy(&attribute, answer.data() + at, sizeof attribute);
    std::memcpy(&number, answer.data() + at + sizeof attribute, sizeof number);
    return attribute.nla_type == NFTA_GEN_ID ? __builtin_bswap32(number) : 0;
}

void remove_blocker(Blocked what, const std::string &interface) {
    const std::string table = table_for(what, interface), found = list(table);
    if (found.empty()) return;
    require_ours(table, found);
    nft("remove table " + table, "delete table " + table + "\n");
}

} // namespace filter::nft
