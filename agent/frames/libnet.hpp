// SPDX-License-Identifier: Apache-2.0
//
// Packets built layer by layer with libnet, the innermost first. libnet fills in the checksums.
#pragma once

#include <array>
#include <cstdint>
#include <libnet.h>
#include <memory>
#include <vector>

namespace agent::libnet {

using Context = std::unique_ptr<libnet_t, decltype(&libnet_destroy)>;
Context new_context(); // throws std::bad_alloc

// A layer was put. Throws std::runtime_error, "build frame: cause".
void check(libnet_t *context, libnet_ptag_t tag);

// All layers; throws as above.
std::vector<std::uint8_t> built(libnet_t *context);

libnet_in6_addr in6(const std::array<std::uint8_t, 16> &bytes);

} // namespace agent::libnet
