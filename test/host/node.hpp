// SPDX-License-Identifier: Apache-2.0
//
// Each test runs inside a network namespace of its own, which vanishes with the test:
//
//     node (this process)                    client (commands by on_client(), sockets by
//     in_client())
//       lo up                                  lo up
//       eth0 0a:00:00:00:00:99  ------------   client0 0a:00:00:00:00:01
//       192.0.2.11/24 fd00::11/64              192.0.2.1/24 fd00::1/64
#pragma once

#include "agent/host/setup.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

constexpr filter::MacAddress kClusterMac{0x03, 0xbf, 0xc0, 0, 2, 0x64};
inline const std::string kClusterMacText = "03:bf:c0:00:02:64";

// Output and errors of a shell command in the node's namespace.
std::string run(const std::string &command);

// Calls condition until it holds, with a generous deadline; false when it never did.
bool eventually(const std::function<bool()> &condition);

class Node {
  public:
    Node();
    ~Node();
    Node(const Node &) = delete;
    Node &operator=(const Node &) = delete;

    void connect_client() const; // makes the pair of interfaces; again, after the first was deleted
    std::string on_client(const std::string &command) const;
    void in_client(
        const std::function<void()> &what) const; // in this process, in the client's namespace

    std::string file(const std::string &name) const { return directory_ / name; }
    agent::HostSettings wish() const; // 192.0.2.100 and fd00::64 on eth0, a multicast cluster MAC
    // One for each way to hear the cluster MAC: multicast, igmp, unicast.
    std::vector<agent::HostSettings> wishes() const;
    // All that a setup could have changed: addresses, groups and MACs of all kinds, sysctls.
    std::string state() const;

  private:
    int outside_, node_, client_; // namespaces
    std::filesystem::path directory_;
};
