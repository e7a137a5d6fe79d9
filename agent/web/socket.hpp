// SPDX-License-Identifier: Apache-2.0
// The socket on which the web server listens, and whom those that connect are counted under.
#pragma once

#include "agent/base/endpoint.hpp"
#include "filter/descriptor.hpp"

#include <string>

struct sockaddr;

namespace agent {

// [::] is all addresses of both families. Throws "listen on ADDRESS: cause; way out".
filter::Descriptor listen_for_web(const Endpoint &endpoint);

// The bytes of an IPv4 address, or of an IPv6 address's /64.
std::string network_of(const sockaddr *address);

} // namespace agent
