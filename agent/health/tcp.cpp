// SPDX-License-Identifier: Apache-2.0
#include "agent/health/tcp.hpp"

namespace agent {

bool TcpCheck::begin() {
    dial_.begin();
    return true;
}

std::optional<Finding> TcpCheck::handle() {
    const Dialing state = dial_.handle();
    if (state == Dialing::under_way) return std::nullopt;
    dial_.close();
    return Finding{state == Dialing::connected, dial_.why()};
}

std::vector<pollfd> TcpCheck::descriptors() const { return {{dial_.descriptor(), POLLOUT, 0}}; }

} // namespace agent
