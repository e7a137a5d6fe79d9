// SPDX-License-Identifier: Apache-2.0
// The host's rules, as the program nft has them: libnftables is behind this and nowhere else.
#pragma once

#include <string>

namespace filter::nft {

// One command, or several that take effect together; what it prints, without counters, and with numbers for names. Throws what
// nft would say, `what: nftables: cause`. It may take seconds on a host of many rules.
std::string nft(const std::string &what, const std::string &commands);

} // namespace filter::nft
