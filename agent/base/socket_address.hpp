// SPDX-License-Identifier: Apache-2.0
// An endpoint as bind and connect want it.
#pragma once

#include "agent/base/endpoint.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

namespace agent {

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
