// SPDX-License-Identifier: Apache-2.0
#include "test/host/node.hpp"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <stdexcept>
#include <thread>
#include <unistd.h>

namespace {

int open_namespace() {
    const int descriptor = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        throw std::runtime_error(std::string("open network namespace: ") + std::strerror(errno));
    return descriptor;
}

int new_namespace() {
    if (unshare(CLONE_NEWNET) != 0)
        throw std::runtime_error(std::string("make network namespace (root needed): ") +
                                 std::strerror(errno));
    return open_namespace();
}

void enter(int descriptor) {
    if (setns(descriptor, CLONE_NEWNET) != 0)
        throw std::runtime_error(std::string("enter network namespace: ") + std::strerror(errno));
}

std::string path_of(int descriptor) {
    return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(descriptor);
}

} // namespace

std::string run(const std::string &command) {
    const std::unique_ptr<FILE, int (*)(FILE *)> pipe(popen((command + " 2>&1").c_str(), "r"),
                                                      &pclose);
    std::string output;
    char buffer[4096];
    while (pipe && std::fgets(buffer, sizeof buffer, pipe.get()) != nullptr)
        output += buffer;
    return output;
}

bool eventually(const std::function<bool()> &condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

Node::Node() : outside_(open_namespace()), client_(new_namespace()) {
    run("ip link set lo up");
    node_ = new_namespace();
    auto pattern = (std::filesystem::temp_directory_path() / "nlbd-host-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
        throw std::runtime_error(std::string("make directory: ") + std::strerror(errno));
    directory_ = pattern;
    run("ip link set lo up");
    connect_client();
}

void Node::connect_client() const {
    const auto output = run("ip link add eth0 address 0a:00:00:00:00:99 type veth"
                            " peer name client0 address 0a:00:00:00:00:01 netns " +
                            path_of(client_));
    if (!output.empty()) throw std::runtime_error("make veth pair: " + output);
    run("ip link set eth0 addrgenmode none up; ip address add 192.0.2.11/24 dev eth0;"
        "ip address add fd00::11/64 dev eth0 nodad; ip address add fe80::11/64 dev eth0 nodad");
    on_client(
        "ip link set client0 addrgenmode none up; ip address add 192.0.2.1/24 dev client0;"
        "ip address add fd00::1/64 dev client0 nodad; ip address add fe80::1/64 dev client0 nodad;"
        "ip ntable change name arp_cache dev client0 retrans 100 mcast_probes 100 ucast_probes 100;"
        "ip ntable change name ndisc_cache dev client0 retrans 100 mcast_probes 100 ucast_probes "
        "100");
}

Node::~Node() {
    if (setns(outside_, CLONE_NEWNET) != 0) std::perror("leave network namespace");
    for (const int descriptor : {outside_, node_, client_})
        close(descriptor);
    std::filesystem::remove_all(directory_);
}

void Node::in_client(const std::function<void()> &what) const {
    enter(client_);
    try {
        what();
    } catch (...) {
        enter(node_);
        throw;
    }
    enter(node_);
}

std::string Node::on_client(const std::string &command) const {
    std::string output;
    in_client([&] { output = run(command); });
    return output;
}

agent::HostSettings Node::wish() const {
    return {
        "eth0", {*filter::parse_ip("192.0.2.100"), *filter::parse_ip("fd00::64")}, kClusterMac};
}

std::vector<agent::HostSettings> Node::wishes() const {
    auto igmp = wish(), unicast = wish();
    igmp.cluster_mac = filter::MacAddress{0x01, 0, 0x5e, 0x7f, 2, 0x64};
    igmp.cluster_group = filter::parse_ip("239.255.2.100");
    (*unicast.cluster_mac)[0] = 0x02;
    return {wish(), igmp, unicast};
}

std::string Node::state() const {
    return run("{ ip -o address; cat /proc/net/dev_mcast /proc/net/igmp | tr -d '*';"
               "bridge fdb show; cd /proc/sys/net;"
               "grep -r . ipv4/conf/*/arp_* ipv6/conf/*/accept_dad ipv*/conf/*/drop_unicast*; ls " +
               directory_.string() + "; } | sort");
}
