// SPDX-License-Identifier: Apache-2.0
//
// Loading a configuration, and what follows from one. Nothing here touches the machine: a
// configuration that loads on one node loads on every node, which is why it is checked in full even
// where this node has no use for it.
#include "agent/config/config.hpp"

#include "agent/config/sections.hpp"
#include "agent/config/trust.hpp"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

namespace agent {
namespace {

struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
};

const NodeConfig *find_node(const Config &config, const std::string &name) {
    for (const NodeConfig &node : config.nodes)
        if (node.name == name) return &node;
    return nullptr;
}

} // namespace

std::string host_name() {
    char name[HOST_NAME_MAX + 1] = {};
    gethostname(name, sizeof name - 1);
    return name;
}

std::string read_toml(const std::string &file, const Opener &open) {
    std::string text(kMaxConfigSize + 1, '\0'); // one byte more than parse_config allows
    const filter::Descriptor opened = open(file);
    const std::unique_ptr<std::FILE, Close> input(opened ? fdopen(dup(opened.get()), "r") : nullptr);
    if (input) text.resize(std::fread(text.data(), 1, text.size(), input.get()));
    if (!input || std::ferror(input.get()))
        throw std::runtime_error("read configuration " + file + ": " + std::strerror(errno));
    return text;
}

Config load_config(const std::string &file) { return parse_config(read_toml(file), file); }

Config load_trusted_config(const std::string &file, const Opener &open) {
    const auto check = [&](const std::string &name) {
        filter::Descriptor opened = open(name);
        struct stat status {};
        if (!opened) return opened;
        if (fstat(opened.get(), &status) != 0 || !S_ISREG(status.st_mode)) // a pipe would be waited for
            throw std::runtime_error(file + ": is not a regular file");
        require_trusted(file, status);
        return opened;
    };
    return parse_config(read_toml(file, check), file);
}

Config parse_config(const std::string &text, const std::string &file) {
    return read_config(parse_toml(text, file), file);
}

filter::MacAddress cluster_mac(const Config &config) {
    if (config.mac) return *config.mac;
    const filter::IpAddress &first = config.virtual_ips.at(0);
    const std::uint8_t *last4 = first.bytes.data() + (first.is_v4() ? 0 : 12);
    switch (config.mac_mode) {
    case MacMode::igmp:
        return {0x01, 0x00, 0x5e, 0x7f, last4[2], last4[3]};
    case MacMode::unicast:
        return {0x02, 0xbf, last4[0], last4[1], last4[2], last4[3]};
    case MacMode::multicast:
        break;
    }
    return {0x03, 0xbf, last4[0], last4[1], last4[2], last4[3]};
}

std::optional<filter::IpAddress> cluster_group(const Config &config) {
    if (config.mac_mode != MacMode::igmp) return std::nullopt;
    const filter::MacAddress mac = cluster_mac(config);
    return filter::IpAddress{filter::IpAddress::Family::v4, {239, 255, mac[4], mac[5]}};
}

std::string name_of(const Config &config, heartbeat::NodeId id) {
    for (const NodeConfig &node : config.nodes)
        if (node.id == heartbeat::index(id)) return node.name;
    return "node " + std::to_string(heartbeat::index(id));
}

const NodeConfig &find_self(const Config &config, const std::optional<std::string> &name) {
    const std::string wanted = name ? *name : host_name();
    const NodeConfig *node = find_node(config, wanted);
    if (!node && !name) node = find_node(config, wanted.substr(0, wanted.find('.')));
    if (node) return *node;
    std::vector<std::string_view> names;
    for (const NodeConfig &known : config.nodes)
        names.push_back(known.name);
    throw std::runtime_error("find this node in " + config.file + ": no node is called " +
                             shown(wanted) + (name ? "" : " (the host name)") +
                             "; name one with --node: " + one_of(names));
}

} // namespace agent
