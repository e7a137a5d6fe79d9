// SPDX-License-Identifier: Apache-2.0
#include "reference.hpp"

#include "filter/verdict/user_verdict.hpp"

namespace {

struct NoSockets final : filter::VerdictHost {
    std::uint64_t now_ns = 0;
    bool has_socket(const filter::TcpSegment &) override { return false; }
    std::uint64_t boot_ns() override { return now_ns; }
} host;

} // namespace

void set_reference_clock(std::uint64_t ns) { host.now_ns = ns; }

filter::Verdict reference(nlb_state &state, const std::vector<std::uint8_t> &frame) {
    return filter::to_verdict(filter::verdict_of(filter::decide(state, frame, host)));
}
