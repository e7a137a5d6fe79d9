// SPDX-License-Identifier: Apache-2.0
//
// All sections of the configuration except the rules. Each reads its keys, then checks what they
// must be to one another. Defaults are those of Config and its members.
#include "agent/config/sections.hpp"

#include "agent/config/words.hpp"

#include <algorithm>
#include <cctype>

namespace agent {
namespace {

constexpr std::size_t kMaxEntries = 32; // nodes, rules, virtual IPs
constexpr std::size_t kMaxAddresses = 8; // of a node: one for each heartbeat interface
constexpr int kMinIntervals = 8; // in dead_after_ms; with fewer, a little loss looks like a death

// Switches go by these first bytes: they would not treat another address as mac_mode promises.
filter::MacAddress read_mac(const Field &field, MacMode mode) {
    constexpr std::string_view begins[] = {"03:bf:", "02:bf:", "01:00:5e:7f:"}; // by MacMode
    const std::string_view begin = begins[static_cast<std::size_t>(mode)];
    const std::string written = text(field);
    const auto mac = filter::parse_mac(written);
    if (!mac || !filter::to_string(*mac).starts_with(begin))
        field.refuse(shown(written) + " is not a MAC address of mac_mode \"" +
                     std::string(kMacModes[static_cast<std::size_t>(mode)]) +
                     "\", must begin with " + std::string(begin));
    return *mac;
}

// Generic XDP could, but tc does it at a lower price.
void check_forwarding_datapath(const Field &field, DatapathKind kind) {
    if (kind == DatapathKind::xdp_generic || kind == DatapathKind::pcap)
        field.refuse("\"" + std::string(kDatapaths[static_cast<std::size_t>(kind)]) +
                     "\" does not send packets on, must be \"auto\", \"xdp\", \"xdp-native\" or \"tc\" with delivery = \"forward\"");
}

void check_forward(const Section &cluster, const Config &config) {
    for (const char *key : {"mac_mode", "mac"})
        if (const auto field = cluster.find(key))
            field->refuse("has no use with delivery = \"forward\", where frames come to the nodes' own MAC "
                          "addresses; leave it out");
    if (const auto datapath = cluster.find("datapath"))
        check_forwarding_datapath(*datapath, config.datapath);
}

void read_cluster(const Field &table, Config &config) {
    constexpr std::string_view keys[] = {"name",     "interface", "mac_mode", "mac",
                                         "key_file", "datapath",  "delivery"};
    const Section cluster(table);
    cluster.only(keys);
    config.cluster_name = name(cluster.need("name", "a name that no other cluster here has"));
    config.interface = interface_name(
        cluster.need("interface", "the network interface where clients' frames arrive"));
    if (const auto mode = cluster.find("mac_mode"))
        config.mac_mode = static_cast<MacMode>(choice(*mode, kMacModes));
    if (const auto mac = cluster.find("mac")) config.mac = read_mac(*mac, config.mac_mode);
    if (const auto datapath = cluster.find("datapath"))
        config.datapath = static_cast<DatapathKind>(choice(*datapath, kDatapaths));
    if (const auto delivery = cluster.find("delivery"))
        config.delivery = static_cast<Delivery>(choice(*delivery, kDeliveries));
    if (config.delivery == Delivery::forward) check_forward(cluster, config);
    if (const auto key_file = cluster.find("key_file")) {
        config.key_file = text(*key_file);
        if (!config.key_file.starts_with('/'))
            key_file->refuse(shown(config.key_file) + " is not an absolute path, must begin with /");
    }
}

std::vector<std::string> read_interfaces(const Field &field) {
    std::vector<std::string> names;
    Unique unique;
    for (const Field &item : list(field)) {
        names.push_back(interface_name(item));
        unique.claim(item, names.back());
    }
    return names;
}

filter::IpAddress read_group(const Field &field) {
    const filter::IpAddress group = address(field);
    if (!group.is_v4() || (group.bytes[0] & 0xf0) != 0xe0)
        field.refuse(to_string(group) +
                     " is not an IPv4 multicast group, must be one such as 239.255.77.77");
    return group;
}

filter::IpAddress read_group6(const Field &field) {
    const filter::IpAddress group = address(field);
    if (group.is_v4() || group.bytes[0] != 0xff || group.bytes[1] != 0x02)
        field.refuse(to_string(group) +
                     " is not an IPv6 link-local multicast group, must be one such as ff02::6e6c");
    return group;
}

void read_times(const Section &heartbeat, Config &config) {
    const auto interval = heartbeat.find("interval_ms");
    const auto dead_after = heartbeat.find("dead_after_ms");
    if (interval) config.interval = std::chrono::milliseconds(integer(*interval, 10, 5000));
    if (dead_after) config.dead_after = std::chrono::milliseconds(integer(*dead_after, 80, 60000));
    if (config.dead_after < kMinIntervals * config.interval)
        (dead_after ? *dead_after : *interval)
            .refuse("8 intervals of " + std::to_string(config.interval.count()) +
                    " ms are more than dead_after_ms = " +
                    std::to_string(config.dead_after.count()) + ", which must be at least " +
                    std::to_string((kMinIntervals * config.interval).count()));
}

void read_heartbeat(const Field &table, Config &config) {
    constexpr std::string_view keys[] = {"interfaces",  "group",         "group6",    "port",
                                         "interval_ms", "dead_after_ms", "partition", "witness"};
    const Section heartbeat(table);
    heartbeat.only(keys);
    if (const auto interfaces = heartbeat.find("interfaces"))
        config.heartbeat_interfaces = read_interfaces(*interfaces);
    if (const auto group = heartbeat.find("group")) config.group = read_group(*group);
    if (const auto group6 = heartbeat.find("group6")) config.group6 = read_group6(*group6);
    if (const auto port = heartbeat.find("port"))
        config.port = static_cast<std::uint16_t>(integer(*port, 1, 65535));
    read_times(heartbeat, config);
    if (const auto partition = heartbeat.find("partition"))
        config.partition = static_cast<Partition>(choice(*partition, kPartitions));
    if (const auto witness = heartbeat.find("witness")) config.witness = address(*witness);
}

// Why no host can have this address for clients of other hosts; empty when it can.
std::string_view unfit(const filter::IpAddress &address) {
    const auto &b = address.bytes;
    const auto zeros = [&b](std::size_t count) {
        return std::all_of(b.begin(), b.begin() + static_cast<std::ptrdiff_t>(count),
                           [](std::uint8_t byte) { return byte == 0; });
    };
    if (address.is_v4())
        return b[0] == 0                    ? "unspecified"
               : b[0] == 127                ? "a loopback address"
               : b[0] == 169 && b[1] == 254 ? "link-local"
               : b[0] >= 224 && b[0] < 240  ? "multicast"
               : b[0] >= 240                ? "reserved"
                                            : "";
    return zeros(16)                                     ? "unspecified"
           : zeros(15) && b[15] == 1                     ? "a loopback address"
           : b[0] == 0xfe && (b[1] & 0xc0) == 0x80       ? "link-local"
           : b[0] == 0xff                                ? "multicast"
           : zeros(10) && b[10] == 0xff && b[11] == 0xff ? "an IPv4-mapped IPv6 address"
                                                         : "";
}

filter::IpAddress host_address(const Field &field) {
    const filter::IpAddress host = address(field);
    if (const std::string_view why = unfit(host); !why.empty())
        field.refuse(to_string(host) + " is " + std::string(why) +
                     ", must be an address that other hosts can reach");
    return host;
}

void refuse_address_of_node(const Field &field, const filter::IpAddress &address, const Config &config,
                            const std::string &must_be) {
    for (const NodeConfig &node : config.nodes)
        if (std::ranges::count(node.addresses, address))
            field.refuse(to_string(address) + " is the address of node " + shown(node.name) + ", must be " + must_be);
}

void check_count(const Field &field, std::size_t count) {
    if (count == 0)
        field.refuse("is empty, must have 1 to 32 entries, each under [[" + field.key + "]]");
}

void check_room(const Field &entry, std::size_t count) {
    if (count == kMaxEntries) entry.refuse("has too many entries, at most 32 are allowed");
}

// Ids of nodes that are there; nodes are known by then.
std::vector<std::uint8_t> read_receiver(const Field &field, const Config &config) {
    if (config.delivery != Delivery::forward)
        field.refuse("applies only with delivery = \"forward\" under [cluster]; leave it out");
    std::vector<std::uint8_t> ids;
    Unique unique;
    for (const Field &item : list(field)) {
        const std::string node = text(item);
        unique.claim(item, node);
        const auto found = std::ranges::find(config.nodes, node, &NodeConfig::name);
        if (found == config.nodes.end())
            item.refuse(shown(node) + " is not a node, must be the name of a [[node]]");
        ids.push_back(found->id);
    }
    return ids;
}

void read_virtual_ips(const Field &field, Config &config) {
    constexpr std::string_view keys[] = {"address", "receiver"};
    const std::vector<Field> entries = tables(field);
    check_count(field, entries.size());
    Unique unique;
    for (const Field &entry : entries) {
        check_room(entry, config.virtual_ips.size());
        const Section virtual_ip(entry);
        virtual_ip.only(keys);
        const Field given = virtual_ip.need("address", "an IPv4 or IPv6 address");
        config.virtual_ips.push_back(host_address(given));
        unique.claim(given, to_string(config.virtual_ips.back()));
        refuse_address_of_node(given, config.virtual_ips.back(), config, "one that no host has by itself");
        const auto receiver = virtual_ip.find("receiver");
        config.receivers.push_back(receiver ? read_receiver(*receiver, config)
                                            : std::vector<std::uint8_t>{});
    }
}

// used: by the nodes before.
std::vector<filter::IpAddress> read_addresses(const Field &field, Unique &used) {
    std::vector<filter::IpAddress> addresses;
    for (const Field &item : list(field)) {
        const filter::IpAddress one = address(item);
        if (unfit(one) == "link-local")
            item.refuse(to_string(one) + " is link-local, which does not say on which interface; must be an address of "
                                         "this node such as 192.0.2.11 or fd00::11");
        addresses.push_back(host_address(item));
        used.claim(item, to_string(one));
    }
    if (addresses.size() > kMaxAddresses)
        field.refuse("has " + std::to_string(addresses.size()) + " addresses, must have at most " +
                     std::to_string(kMaxAddresses) + ", one for each heartbeat interface");
    return addresses;
}

NodeConfig read_node(const Section &section, const Config &config, Unique &addresses) {
    constexpr std::string_view keys[] = {"id",       "name",    "weight",
                                         "interface", "datapath", "heartbeat_interfaces",
                                         "address"};
    section.only(keys);
    NodeConfig node;
    node.id = static_cast<std::uint8_t>(integer(section.need("id", "1 to 32"), 1, 32));
    node.name = node_name(section.need("name", "the host's name"));
    if (const auto weight = section.find("weight"))
        node.weight = static_cast<std::uint8_t>(integer(*weight, 0, 100));
    if (const auto interface = section.find("interface"))
        node.interface = interface_name(*interface);
    if (const auto datapath = section.find("datapath"))
        node.datapath = static_cast<DatapathKind>(choice(*datapath, kDatapaths));
    if (node.datapath && config.delivery == Delivery::forward)
        check_forwarding_datapath(section.need("datapath", ""), *node.datapath);
    if (const auto interfaces = section.find("heartbeat_interfaces"))
        node.heartbeat_interfaces = read_interfaces(*interfaces);
    if (const auto given = section.find("address")) node.addresses = read_addresses(*given, addresses);
    return node;
}

void read_nodes(const Field &field, Config &config) {
    const std::vector<Field> entries = tables(field);
    check_count(field, entries.size());
    Unique ids, names, addresses; // 32 ids: no need to count the nodes
    for (const Field &entry : entries) {
        const Section section(entry);
        config.nodes.push_back(read_node(section, config, addresses));
        ids.claim(section.need("id", ""), std::to_string(config.nodes.back().id));
        names.claim(section.need("name", ""), config.nodes.back().name);
    }
    std::sort(config.nodes.begin(), config.nodes.end(),
              [](const NodeConfig &a, const NodeConfig &b) { return a.id < b.id; });
}

void read_rules(const Field &field, Config &config) {
    Unique names;
    for (const Field &entry : tables(field)) {
        check_room(entry, config.rules.size());
        const RuleConfig rule = read_rule(entry, config);
        names.claim(Section(entry).need("name", ""), rule.name);
        refuse_overlap(entry, rule, config);
        config.rules.push_back(rule);
    }
}

void check_macs(const Section &cluster, const std::optional<Section> &heartbeat,
                const Config &config) {
    if (config.mac_mode == MacMode::igmp && !config.mac && !config.virtual_ips[0].is_v4())
        cluster.need("mac_mode", "")
            .refuse("\"igmp\" has no form for " + to_string(config.virtual_ips[0]) +
                    ", the first virtual_ip must be an IPv4 address, or mac be given");
    const auto &g = config.group.bytes; // RFC 1112: the low 23 bits
    const filter::MacAddress group_mac = {0x01, 0x00, 0x5e, static_cast<std::uint8_t>(g[1] & 0x7f),
                                          g[2], g[3]};
    if (group_mac != cluster_mac(config) || config.delivery == Delivery::forward) return;
    const std::string what = to_string(config.group) + " has the cluster's MAC address " +
                             filter::to_string(group_mac) + ", must be another group";
    if (const auto group = heartbeat ? heartbeat->find("group") : std::nullopt) group->refuse(what);
    cluster.need("mac_mode", "").refuse("the default heartbeat.group " + what);
}

void check_witness(const Section &heartbeat, const Config &config) {
    const auto field = heartbeat.find("witness");
    if (!field) return;
    const filter::IpAddress witness = host_address(*field);
    if (config.partition == Partition::quorum)
        field->refuse("has no use with \"quorum\"; leave it out, or set partition = \"serve\"");
    if (std::find(config.virtual_ips.begin(), config.virtual_ips.end(), witness) !=
        config.virtual_ips.end())
        field->refuse(to_string(witness) + " is a virtual IP, must be a host outside the cluster");
    refuse_address_of_node(*field, witness, config, "a host outside the cluster");
}

void read_agent(const Field &table, Config &config) {
    constexpr std::string_view keys[] = {"drain_ms", "log_level"};
    const Section agent(table);
    agent.only(keys);
    if (const auto drain = agent.find("drain_ms"))
        config.drain = std::chrono::milliseconds(integer(*drain, 0, 600'000));
    if (const auto level = agent.find("log_level"))
        config.log_level = static_cast<log::Level>(choice(*level, kLogLevels));
}

void read_announce(const Field &table, Config &config) {
    constexpr std::string_view keys[] = {"withdraw_ms"};
    const Section announce(table);
    announce.only(keys);
    if (config.delivery != Delivery::forward)
        table.refuse("applies only with delivery = \"forward\" under [cluster]; leave it out");
    const auto withdraw = announce.find("withdraw_ms");
    config.announce = std::chrono::milliseconds(withdraw ? integer(*withdraw, 0, 60'000) : 2000);
}

void read_control(const Field &table, Config &config) {
    constexpr std::string_view keys[] = {"port"};
    const Section control(table);
    control.only(keys);
    if (const auto port = control.find("port"))
        config.control_port = static_cast<std::uint16_t>(integer(*port, 1, 65535));
}

Endpoint read_listen(const Field &field, const Config &config) {
    constexpr std::string_view must_be =
        "an address and a port, such as \"127.0.0.1:9777\", \"0.0.0.0:9777\" or \"[::]:9777\"";
    const std::string written = text(field, must_be);
    const std::optional<Endpoint> listen = parse_endpoint(written);
    if (!listen || listen->port == 0)
        field.refuse(shown(written) + " is not " + std::string(must_be));
    if (listen->port == config.control_port)
        field.refuse("port " + std::to_string(listen->port) +
                     " is the one for commands, must be another than [control] port");
    if (std::ranges::count(config.virtual_ips, listen->address))
        field.refuse(to_string(listen->address) +
                     " is a virtual IP, must be an address that every node has by itself, such as "
                     "127.0.0.1 or 0.0.0.0");
    return *listen;
}

std::string read_host_name(const Field &field) {
    constexpr std::string_view must_be = "a host's name, such as \"web1.example.net\"";
    const std::string name = text(field, must_be);
    const auto in_names = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_'; };
    if (name.empty() || name.size() > 253 || !std::ranges::all_of(name, in_names))
        field.refuse(shown(name) + " is not " + std::string(must_be));
    return name;
}

// Virtual IPs are known by then.
void read_metrics(const Field &table, Config &config) {
    constexpr std::string_view keys[] = {"listen", "names"};
    const Section metrics(table);
    metrics.only(keys);
    if (const auto listen = metrics.find("listen"))
        config.metrics_listen = read_listen(*listen, config);
    if (const auto names = metrics.find("names"))
        for (const Field &item : list(*names))
            config.metrics_names.push_back(read_host_name(item));
}

} // namespace

Config read_config(const TomlValue &tree, const std::string &file) {
    constexpr std::string_view sections[] = {"cluster", "heartbeat", "node",  "virtual_ip", "rule",
                                             "control", "agent",     "announce", "metrics"};
    const Section root(Field{file, "", &tree});
    root.only(sections);
    Config config;
    config.file = file;
    const Field cluster = root.need("cluster", "a table under [cluster]");
    read_cluster(cluster, config);
    const std::optional<Field> heartbeat = root.find("heartbeat");
    if (heartbeat) read_heartbeat(*heartbeat, config);
    read_nodes(root.need("node", "1 to 32 tables, each under [[node]]"), config);
    read_virtual_ips(root.need("virtual_ip", "1 to 32 tables, each under [[virtual_ip]]"), config);
    if (config.heartbeat_interfaces.empty()) config.heartbeat_interfaces = {config.interface};
    check_macs(Section(cluster), heartbeat ? std::optional(Section(*heartbeat)) : std::nullopt,
               config);
    if (heartbeat) check_witness(Section(*heartbeat), config);
    if (const auto rules = root.find("rule")) read_rules(*rules, config);
    if (const auto control = root.find("control")) read_control(*control, config);
    if (const auto agent = root.find("agent")) read_agent(*agent, config);
    if (const auto announce = root.find("announce")) read_announce(*announce, config);
    if (const auto metrics = root.find("metrics")) read_metrics(*metrics, config);
    return config;
}

} // namespace agent
