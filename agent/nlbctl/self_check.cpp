// SPDX-License-Identifier: Apache-2.0
#include "agent/nlbctl/self_check.hpp"

#include "agent/config/config.hpp"
#include "agent/config/key.hpp"
#include "agent/config/trust.hpp"
#include "agent/host/netlink.hpp"
#include "agent/host/obstacle.hpp"
#include "filter/bpf/kernel.hpp"
#include "filter/interface.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

namespace agent {
namespace {

constexpr unsigned kMajor = 6, kMinor = 1; // the oldest kernel that is supported

void check_kernel(Diagnosis &result, bool wants_bpf) {
    utsname system{};
    unsigned major = 0, minor = 0;
    if (uname(&system) == 0 && std::sscanf(system.release, "%u.%u", &major, &minor) == 2 &&
        (major < kMajor || (major == kMajor && minor < kMinor)))
        result.findings.push_back(finding("kernel_unfit", {},
                                          std::string("kernel ") + system.release +
                                              ": older than 6.1, and not supported"));
    if (geteuid() != 0) {
        result.findings.push_back(
            finding("not_root", {}, "this user may not read the key, nor ask the kernel for BPF"));
        result.not_checked.push_back("BPF: only root may ask");
    } else if (const std::string why = filter::bpf::why_no_programs(); wants_bpf && !why.empty()) {
        result.findings.push_back(
            finding("kernel_unfit", {}, "the kernel loads no programs for tc: " + why));
    }
}

// Of the clients' interface and those of the beats, and of the host.
void check_interfaces(Diagnosis &result, const Config &config, const NodeConfig &self) {
    const std::string clients = self.interface.value_or(config.interface);
    const auto add = [&](const std::string &text, const std::string &way_out) {
        result.findings.push_back(finding("interface_unusable", {}, text, way_out));
    };
    const auto found = filter::require_interface(clients);
    if (!found.up)
        add(clients + ": is down", "ip link set " + clients + " up");
    else if (!found.running)
        add(clients + ": has no link", "check its cable and its switch port");
    if (const std::string master = master_of(found.index); !master.empty())
        add(clients + ": is a port of " + master, "[cluster] interface = \"" + master + "\"");
    for (const std::string &name : self.heartbeat_interfaces.value_or(config.heartbeat_interfaces))
        if (const auto there = filter::find_interface(name);
            name != clients && name != config.interface && (!there || !there->up))
            add(name + ": " + (there ? "is down" : "does not exist") +
                    ", and beats are to go over it",
                there ? "ip link set " + name + " up" : "name another: [heartbeat] interfaces");
    HostSettings wish{.interface = clients,
                      .virtual_ips = config.virtual_ips,
                      .cluster_mac = cluster_mac(config),
                      .cluster_group = cluster_group(config)};
    if (const auto obstacle = find_obstacle(wish)) add(obstacle->what, obstacle->way_out);
}

// True: it went through. What is thrown is a finding of this name.
bool attempt(Diagnosis &result, const std::string &name, const std::function<void()> &step) {
    try {
        step();
        return true;
    } catch (const std::exception &error) {
        result.findings.push_back(finding(name, {}, error.what()));
        return false;
    }
}

} // namespace

Diagnosis check_this_host(const std::string &config_file, const std::optional<std::string> &node) {
    Diagnosis result;
    result.not_checked = {"the network: that takes an agent on each node"};
    Config config;
    NodeConfig self;
    const bool usable = attempt(result, "configuration_unusable", [&] {
        config = load_config(config_file);
        require_trusted(config_file);
        self = find_self(config, node);
    });
    const bool wants_bpf = self.datapath.value_or(config.datapath) != DatapathKind::pcap;
    if (!usable)
        result.not_checked.push_back("key and interfaces: the configuration names them");
    else {
        attempt(result, "interface_unusable", [&] { check_interfaces(result, config, self); });
        if (geteuid() == 0)
            attempt(result, "key_unusable", [&] { load_keys(config.key_file); });
        else
            result.not_checked.push_back("the key: only root may read it");
    }
    attempt(result, "kernel_unfit", [&] { check_kernel(result, wants_bpf); });
    result.findings.push_back(finding(
        "agent_not_running", {}, "no agent answers in the run directory",
        usable ? ""
               : "when the configuration is right: systemctl start nlbd; then: nlbctl doctor"));
    return result;
}

} // namespace agent
