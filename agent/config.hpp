// SPDX-License-Identifier: Apache-2.0
//
// The configuration: one TOML file, byte-identical on every node, parsed wholly and checked wholly before
// anything is touched. What is not built yet is refused by name, never ignored.
#pragma once

#include "filter/address.hpp"
#include "filter/datapath.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace agent {

enum class MacMode { multicast, unicast, igmp };
enum class DatapathKind { automatic, xdp, xdp_native, xdp_generic, pcap };
enum class Partition { serve, quorum };
enum class Protocol { tcp, udp, both };
enum class RuleMode { multiple, single, disabled };

struct NodeConfig {
    std::uint8_t id = 0; // 1 to 32
    std::string name;
    std::uint8_t weight = 100; // 0 to 100
    std::optional<std::string> interface;
    std::optional<DatapathKind> datapath;
    std::optional<std::vector<std::string>> heartbeat_interfaces;
};

struct RuleConfig {
    std::string name;
    std::vector<filter::IpAddress> virtual_ips; // empty: all
    Protocol protocol = Protocol::tcp;
    std::uint16_t first_port = 0, last_port = 65535;
    RuleMode mode = RuleMode::multiple;
    filter::Affinity affinity = filter::Affinity::single;
    std::map<std::uint8_t, std::uint8_t> weights; // node id -> weight, over the nodes' own; may be empty
    std::vector<std::uint8_t> priority;           // node ids, for mode single; may be empty
};

struct Config {
    std::string file; // where it came from, for messages
    std::string cluster_name;
    std::string interface;
    MacMode mac_mode = MacMode::multicast;
    std::string key_file;
    DatapathKind datapath = DatapathKind::automatic;

    std::vector<std::string> heartbeat_interfaces; // effective: the cluster's when none is named
    filter::IpAddress group;
    std::uint16_t port = 7777;
    std::chrono::milliseconds interval{50};
    std::chrono::milliseconds dead_after{500};
    Partition partition = Partition::serve;
    std::optional<filter::IpAddress> witness;

    std::vector<NodeConfig> nodes; // by ascending id
    std::vector<filter::IpAddress> virtual_ips;
    std::vector<RuleConfig> rules; // in the order of the file
};

// Throws std::runtime_error with `FILE:LINE:COLUMN: KEY: what is wrong, what is allowed`.
Config load_config(const std::string &file);
Config parse_config(const std::string &text, const std::string &file);

// The effective configuration, defaults filled in, as TOML that parses again to the same thing.
std::string to_toml(const Config &config);

// 03:bf and the first virtual IP's four octets (IPv6: its last four), by mac_mode.
filter::MacAddress cluster_mac(const Config &config);

// The node that this process is: by --node when given, else by the host name. Throws, naming what exists.
const NodeConfig &find_self(const Config &config, const std::optional<std::string> &name);

// One digest for each section, node and rule, so that a difference between two nodes can be named:
// "cluster", "heartbeat", "node web1", "virtual_ip", "rule http". In a stable order, over the effective values.
// Per-node overrides belong to the node's digest. key_file's path is left out: only its content matters.
struct SectionDigest {
    std::string name;
    std::uint64_t digest;
};
std::vector<SectionDigest> section_digests(const Config &config);

// 32 bytes from the key file: made by `nlbctl keygen`, mode 0600, one line. Throws, naming file and way out.
using ClusterKey = std::array<std::uint8_t, 32>;
ClusterKey load_key(const std::string &file);
std::string generate_key();                    // one line of text, without the newline
void write_new_key(const std::string &file);   // mode 0600, never overwrites
// Independent subkeys of the cluster key, for the packet hash, the beats and the control plane.
std::array<std::uint8_t, 16> hash_key(const ClusterKey &key);
std::array<std::uint8_t, 32> beat_key(const ClusterKey &key);

} // namespace agent
