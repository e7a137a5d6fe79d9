// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/libnet.hpp"

#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

namespace agent::libnet {

libnet_in6_addr in6(const std::array<std::uint8_t, 16> &bytes) {
    libnet_in6_addr address;
    std::memcpy(&address, bytes.data(), bytes.size());
    return address;
}

void check(libnet_t *context, libnet_ptag_t tag) {
    if (tag < 0) throw std::runtime_error(std::string("build frame: ") + libnet_geterror(context));
}

Context new_context() {
    std::array<char, LIBNET_ERRBUF_SIZE> error{};
    Context context(libnet_init(LIBNET_NONE, nullptr, error.data()), &libnet_destroy);
    if (!context) throw std::bad_alloc();
    return context;
}

std::vector<std::uint8_t> built(libnet_t *context) {
    std::uint8_t *packet = nullptr;
    std::uint32_t size = 0;
    check(context, libnet_pblock_coalesce(context, &packet, &size));
    const std::unique_ptr<std::uint8_t, decltype(&std::free)> owner(packet, &std::free);
    return {packet, packet + size};
}

} // namespace agent::libnet
