// SPDX-License-Identifier: Apache-2.0
//
// The configuration: one TOML file, byte-identical on every node, parsed wholly and checked wholly
// before anything is touched. What it does not know is refused by name, never ignored.
#pragma once

#include "agent/base/endpoint.hpp"
#include "agent/base/file.hpp"
#include "agent/base/log.hpp"
#include "agent/config/key.hpp"
#include "filter/address.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/membership.hpp"
#include "heartbeat/ownership.hpp"
#include "heartbeat/types.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agent {

using filter::Affinity;
using heartbeat::Partition;
using heartbeat::RuleMode;

enum class MacMode { multicast, unicast, igmp };
enum class Delivery { flood, forward };
enum class DatapathKind { automatic, xdp, xdp_native, xdp_generic, tc, pcap };
enum class Protocol { tcp, udp, both };
enum class HealthType { none, listener, tcp, http, exec };
enum class WhenAllDown { serve, reject };

// The words of the configuration, for `status`.
std::string_view to_string(Protocol protocol);
std::string_view to_string(RuleMode mode);
std::string_view to_string(Affinity affinity);

struct NodeConfig {
    std::uint8_t id = 0; // 1 to 32
    std::string name;
    std::uint8_t weight = 100; // 0 to 100
    std::optional<std::string> interface;
    std::optional<DatapathKind> datapath;
    std::optional<std::vector<std::string>> heartbeat_interfaces;
    std::vector<filter::IpAddress> addresses; // beats go there as well as to the groups
    bool operator==(const NodeConfig &) const = default;
};

// A key that the type does not use has its default.
struct HealthConfig {
    HealthType type = HealthType::none;
    std::uint16_t port = 0;                   // tcp, http
    std::string path = "/";                   // http
    std::vector<std::uint16_t> status = {200}; // http: any of these, ascending
    std::optional<std::string> host;          // http: default: the virtual IP
    std::vector<std::string> command;         // exec
    std::string user = "nobody";              // exec
    std::chrono::milliseconds interval{1000}, timeout{1000}; // tcp, http, exec
    unsigned rise = 2, fall = 3;              // results in a row that change the health
    bool operator==(const HealthConfig &) const = default;
};

struct RuleConfig {
    std::string name;
    std::vector<filter::IpAddress> virtual_ips; // empty: all; else in Config's order
    Protocol protocol = Protocol::tcp;
    std::uint16_t first_port = 0, last_port = 65535;
    HealthConfig health;
    WhenAllDown when_all_down = WhenAllDown::serve;
    RuleMode mode = RuleMode::multiple;
    Affinity affinity = filter::Affinity::single;
    std::map<std::uint8_t, std::uint8_t> weights; // by node id, over the nodes' own; may be empty
    std::vector<std::uint8_t> priority;           // node ids, for mode single; may be empty
    bool operator==(const RuleConfig &) const = default;
};

struct Config {
    std::string file; // where it came from, for messages
    std::string cluster_name;
    std::string interface;
    MacMode mac_mode = MacMode::multicast;
    std::optional<filter::MacAddress> mac; // the cluster's; nullopt: derived from the first virtual IP
    std::string key_file = "/etc/nlb/cluster.key";
    DatapathKind datapath = DatapathKind::automatic;
    Delivery delivery = Delivery::flood;

    std::vector<std::string> heartbeat_interfaces; // effective: the cluster's when none is named
    filter::IpAddress group{filter::IpAddress::Family::v4, {239, 255, 77, 77}};
    filter::IpAddress group6 = *filter::parse_ip("ff02::6e6c"); // beats go to both
    std::uint16_t port = 7777;
    std::chrono::milliseconds interval{50};
    std::chrono::milliseconds dead_after{500};
    Partition partition = Partition::serve;
    std::optional<filter::IpAddress> witness;

    std::uint16_t control_port = 7778; // TCP, on the heartbeat interfaces

    std::chrono::milliseconds drain{2000}; // how long the agent waits for open connections after SIGTERM
    log::Level log_level = log::Level::info;

    // With forward: the virtual IPs are announced to routers. For this long before the agent ends, they are announced
    // as withdrawn. nullopt: no announcement.
    std::optional<std::chrono::milliseconds> announce;

    std::optional<Endpoint> metrics_listen; // metrics and the status page; nullopt: not served
    std::vector<std::string> metrics_names; // host names by which the page may be asked for, besides addresses and the nodes' names

    std::vector<NodeConfig> nodes; // by ascending id
    std::vector<filter::IpAddress> virtual_ips;
    // With forward: the nodes that may receive each virtual IP's frames; the first live one does. Empty: the receiver
    // is computed.
    std::vector<std::vector<std::uint8_t>> receivers; // node ids, by virtual IP
    std::vector<RuleConfig> rules; // in the order of the file
    bool operator==(const Config &) const = default;
};

std::string ports_text(const RuleConfig &rule); // "80", "8000-8999", "any"

// Throws std::runtime_error with `FILE:LINE:COLUMN: KEY: what is wrong, what is allowed`: one line,
// whatever the bytes of the text. A file that cannot be read: `read configuration FILE: cause`.
Config load_config(const std::string &file);
// The same, but only of a regular file that root or this user owns; see trust.hpp.
Config load_trusted_config(const std::string &file, const Opener &open);
std::string host_name(); // this machine's
Config parse_config(const std::string &text, const std::string &file);

// The effective configuration, defaults filled in, as TOML that parses again to the same thing.
std::string to_toml(const Config &config);

// The configured one. Otherwise by mac_mode: 03:bf or 02:bf and the first virtual IP's four octets
// (IPv6: its last four), or 01:00:5e:7f and its last two.
filter::MacAddress cluster_mac(const Config &config); // with delivery = "forward" no frame has it
// igmp: the group with that MAC, 239.255 and its last two bytes; otherwise nullopt.
std::optional<filter::IpAddress> cluster_group(const Config &config);

// A node's name; its id, when it has none.
std::string name_of(const Config &config, heartbeat::NodeId id);

// The node that this process is: by --node when given, else by the host name, whole or up to its
// first dot. Throws, naming what exists.
const NodeConfig &find_self(const Config &config, const std::optional<std::string> &name);

// One digest for each section, node and rule, so that a difference between two nodes can be named: "cluster",
// "heartbeat", "control", "agent", "metrics", "virtual_ip", "announce" (where there is that table), "node \"web1\"",
// "rule \"http\"". Over the effective values, in a stable order: nodes by id, rules as in the file (there their order
// has a meaning: compare the lists place by place). Per-node overrides belong to the node's digest. key_file's path
// does not count: only its content matters.
struct SectionDigest {
    std::string name;
    std::uint64_t digest;
};
std::vector<SectionDigest> section_digests(const Config &config);

} // namespace agent
