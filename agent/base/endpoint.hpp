// SPDX-License-Identifier: Apache-2.0
// An address and a port as people write them: "192.0.2.1:80", "[fd00::1]:80".
#pragma once

#include "filter/datapath.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>

namespace agent {

using Endpoint = filter::Service;

std::optional<Endpoint> parse_endpoint(std::string_view text);
std::string to_string(const Endpoint &endpoint);

// An endpoint as bind and connect want it.
class SocketAddress {
  public:
    explicit SocketAddress(const Endpoint &endpoint);
    const sockaddr *get() const { return reinterpret_cast<const sockaddr *>(&storage_); }
    socklen_t size() const {
        return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    }
    int family() const { return storage_.ss_family; }

  private:
    sockaddr_storage storage_{};
};

} // namespace agent
