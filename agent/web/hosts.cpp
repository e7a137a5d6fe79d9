// SPDX-License-Identifier: Apache-2.0
#include "agent/web/hosts.hpp"

#include "filter/address.hpp"

#include <algorithm>
#include <strings.h>

namespace agent {
namespace {

std::string_view without_port(std::string_view host) {
    const std::size_t colon = host.rfind(':');
    if (host.ends_with(']') || colon == host.npos) return host;
    const std::string_view port = host.substr(colon + 1);
    const bool number = port.find_first_not_of("0123456789") == port.npos;
    return number ? host.substr(0, colon) : host;
}

bool same(std::string_view one, std::string_view other) {
    return one.size() == other.size() && strncasecmp(one.data(), other.data(), one.size()) == 0;
}

} // namespace

bool may_ask_as(std::string_view host, const std::vector<std::string> &names) {
    if (filter::parse_ip(std::string(host))) return true; // an IPv6 address that lacks its brackets
    host = without_port(host);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (filter::parse_ip(std::string(host)) || same(host, "localhost")) return true;
    if (host.ends_with('.')) host.remove_suffix(1);
    return std::ranges::any_of(names, [&](const std::string &name) { return same(host, name); });
}

} // namespace agent
