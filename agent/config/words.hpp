// SPDX-License-Identifier: Apache-2.0
// The words of the schema, each list in the order of its enumeration: reading and printing use the
// same one.
#pragma once

#include <string_view>

namespace agent {

inline constexpr std::string_view kMacModes[] = {"multicast", "unicast", "igmp"};
inline constexpr std::string_view kDeliveries[] = {"flood", "forward"};
inline constexpr std::string_view kDatapaths[] = {"auto", "xdp", "xdp-native", "xdp-generic",
                                                  "tc",   "pcap"};
inline constexpr std::string_view kLogLevels[] = {"error", "warning", "info"};
inline constexpr std::string_view kPartitions[] = {"serve", "quorum"};
inline constexpr std::string_view kProtocols[] = {"tcp", "udp", "both"};
inline constexpr std::string_view kRuleModes[] = {"multiple", "single", "disabled"};
inline constexpr std::string_view kAffinities[] = {"none", "single", "network"};
inline constexpr std::string_view kHealthTypes[] = {"none", "listener", "tcp", "http", "exec"};
inline constexpr std::string_view kWhenAllDown[] = {"serve", "reject"};

} // namespace agent
