// SPDX-License-Identifier: Apache-2.0
//
// Packets to the verdict headers as user space compiles them, and the same to the plain verdict:
// they must say the same. The bytes of each frame lie in an allocation of exactly its size, so that
// a sanitizer sees a read behind the end.
//
//     [scenario] { [length, 2 bytes] [frame] } ...
#include "target.hpp"

#include "test/judges/plain.hpp"

#include "filter/tables.hpp"
#include "filter/verdict/user_verdict.hpp"

#include <cstring>
#include <memory>
#include <vector>

namespace {

// Half of all connections are here, in either's words.
bool is_here(std::uint16_t source_port) { return source_port & 1; }

struct Prepared {
    const judges::Scenario &scenario;
    std::unique_ptr<nlb_state> state = judges::state_of(scenario);
    judges::Plain plain{scenario,
                        [](const judges::Flow &flow) { return is_here(flow.source_port); },
                        [](const judges::Flow &flow) { return is_here(flow.source_port); }};
};

std::vector<Prepared> &prepared() {
    static std::vector<Prepared> all = [] {
        std::vector<Prepared> list;
        for (const judges::Scenario &one : judges::scenarios())
            list.push_back({one});
        return list;
    }();
    return all;
}

void check_words(const nlb_verdict &verdict) {
    fuzz::expect(verdict.reason < NLB_REASONS, "a reason that there is");
    fuzz::expect(verdict.reason != NLB_UNFILTERED, "a reason that XDP gives");
    fuzz::expect(verdict.table >= -1 && verdict.table < NLB_TABLES, "a table that there is");
    fuzz::expect(verdict.bucket >= -1 && verdict.bucket < NLB_BUCKETS, "a bucket that there is");
    fuzz::expect(verdict.bucket < 0 || verdict.table >= 0, "no bucket without a table");
    const bool passed = verdict.reason > NLB_LAST_TAKEN && verdict.reason <= NLB_LAST_PASSED;
    fuzz::expect(!passed || verdict.table < 0, "what passes has met no table");
    fuzz::expect(filter::drops(verdict.reason) == (verdict.reason > NLB_LAST_PASSED),
                 "reason and drop are of one mind");
}

struct Host final : filter::VerdictHost {
    bool has_socket(const filter::TcpSegment &segment) override {
        return is_here(__builtin_bswap16(segment.source_port));
    }
    bool has_listener(const filter::TcpSegment &segment, std::uint32_t) override {
        return is_here(__builtin_bswap16(segment.source_port));
    }
    std::uint64_t boot_ns() override { return 0; }
};

void judge(Prepared &with, const std::vector<std::uint8_t> &frame) {
    Host host;
    const nlb_verdict verdict = filter::verdict_of(filter::decide(*with.state, frame, host));
    check_words(verdict);
    fuzz::expect(judges::agree(with.plain.judge(frame), verdict), "both verdicts agree");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    fuzz::Input input(data, size);
    Prepared &with = prepared()[input.byte() % prepared().size()];
    std::memset(with.state->marks, 0, sizeof with.state->marks);
    with.plain.forget_fragments();
    while (!input.empty()) {
        const auto bytes = input.piece(input.big16());
        judge(with, {bytes.begin(), bytes.end()});
    }
    return 0;
}
