// SPDX-License-Identifier: Apache-2.0
//
// The names under which this server may be asked. A page from elsewhere can let its own name lead to this address (DNS
// rebinding), and its script could then read what the server shows; but its requests carry that name as their Host.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace agent {

// host: the header's value (RFC 9110, section 7.2), a name or an address, with or without a port. True for an address,
// "localhost" and each of names, in upper or lower case.
bool may_ask_as(std::string_view host, const std::vector<std::string> &names);

} // namespace agent
