// SPDX-License-Identifier: Apache-2.0
//
// Datagrams to a node: as they come, and with the seal of a node that holds the key. What opens is
// taken in by a membership, time goes on, and what the node says and saves comes back as it was.
//
//     [kind] { [what, 1 byte] [length, 2 bytes] [bytes] } ...
#include "target.hpp"

#include "heartbeat/codec.hpp"
#include "heartbeat/membership.hpp"

#include <sodium.h>

#include <vector>

using namespace heartbeat;
using namespace std::chrono_literals;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr Digest kConfig = 1;
constexpr NodeId kSelf{1};

const Envelope &envelope() {
    static const Envelope one = make_envelope("web", {7});
    return one;
}

Settings settings(bool quorum, bool witness) {
    Settings result;
    result.self = kSelf;
    for (std::uint8_t id = 1; id <= 4; ++id)
        result.nodes.push_back(NodeId{id});
    result.config = kConfig;
    result.section_names = {"cluster", "rule http"};
    result.sections = {1, 2};
    result.partition = quorum ? Partition::quorum : Partition::serve;
    result.witness = witness;
    return result;
}

// The head and the seal that a holder of the key would give this body.
Bytes sealed(std::span<const std::uint8_t> body) {
    Bytes bytes = seal(Beat{}, envelope());
    bytes.resize(4 + 1 + 8); // magic, version, cluster
    bytes.insert(bytes.end(), body.begin(), body.end());
    std::array<std::uint8_t, 16> tag{};
    crypto_generichash(tag.data(), tag.size(), bytes.data(), bytes.size(), envelope().key.data(),
                       envelope().key.size());
    bytes.insert(bytes.end(), tag.begin(), tag.end());
    return bytes;
}

std::optional<Beat> opened(const Bytes &datagram) {
    const auto result = open(datagram, envelope());
    if (const auto *refusal = std::get_if<Refusal>(&result)) {
        fuzz::expect(!to_string(*refusal).empty(), "a refusal with a name");
        return std::nullopt;
    }
    fuzz::expect(seal(std::get<Beat>(result), envelope()) == datagram,
                 "what opens seals to the same bytes");
    return std::get<Beat>(result);
}

class Node {
  public:
    Node(bool quorum, bool witness)
        : settings_(settings(quorum, witness)), membership_(settings_, now_, 99) {}

    void take(const Event &event) {
        const Outcome outcome = membership_.step(now_, random_ += 0x9e3779b97f4a7c15, event);
        if (outcome.send) say();
        membership_.status(now_);
        membership_.guarded();
        membership_.asks_witness(now_);
    }

    // A beat about this node as it is now: without its life and number, nothing counts.
    void take(Beat beat, bool quotes_me) {
        if (quotes_me) {
            std::erase_if(beat.quotes, [](const Quote &quote) { return quote.peer <= kSelf; });
            beat.quotes.insert(beat.quotes.begin(), {kSelf, life_, sequence_, 0});
        }
        take(event::Received{std::move(beat)});
    }

    void wait(unsigned milliseconds) {
        for (const Time end = now_ + milliseconds * 1ms; now_ < end;) {
            now_ = std::clamp(membership_.wake_at(), now_ + 1ms, end);
            take(event::Tick{});
        }
        now_ += 1us;
    }

    void restart() {
        const Bytes packed = pack(membership_.save(), kSelf);
        const auto saved = unpack(packed, kSelf);
        fuzz::expect(saved && *saved == membership_.save(), "what is saved comes back");
        membership_ = Membership(settings_, now_, random_ += 2, saved);
    }

  private:
    void say() {
        const Beat beat = membership_.beat(now_, {}, 0);
        const Bytes datagram = seal(beat, envelope());
        fuzz::expect(datagram.size() <= kMaxDatagram, "a beat that fits");
        const auto again = open(datagram, envelope());
        fuzz::expect(std::holds_alternative<Beat>(again) && std::get<Beat>(again) == beat,
                     "what a node says can be heard");
        life_ = beat.life;
        sequence_ = beat.sequence;
    }

    Time now_ = 1s;
    std::uint64_t random_ = 1;
    Life life_ = 99;
    Sequence sequence_ = 0;
    Settings settings_;
    Membership membership_;
};

Event order(std::uint8_t which) {
    switch (which % 8) {
    case 0:
        return event::Start{};
    case 1:
        return event::Stop{};
    case 2:
        return event::Leave{};
    case 3:
        return event::Drain{};
    case 4:
        return event::Suspend{};
    case 5:
        return event::SetWeight{static_cast<std::uint8_t>(which / 8 % 101)};
    case 6:
        return event::SetEligible{which};
    default:
        return event::WitnessAnswered{};
    }
}

Event stage(std::uint8_t which) {
    Settings next = settings(false, false);
    next.config = kConfig + which % 3;
    return event::Stage{next};
}

void take_next(Node &node, fuzz::Input &input) {
    const std::uint8_t what = input.byte();
    switch (what % 8) {
    case 0:
        return node.wait(input.byte());
    case 1:
        return node.take(order(input.byte()));
    case 2:
        return node.take(stage(input.byte()));
    case 3:
        return node.restart();
    default: {
        const auto bytes = input.piece(input.big16());
        const bool raw = what % 8 == 4;
        const auto beat = opened(raw ? Bytes(bytes.begin(), bytes.end()) : sealed(bytes));
        if (beat) node.take(*beat, what % 8 > 5);
    }
    }
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::uint8_t kind = input.byte();
    if (kind == 255) { // what a successor finds
        const auto bytes = input.rest();
        if (const auto saved = unpack(bytes, kSelf))
            fuzz::expect(std::ranges::equal(pack(*saved, kSelf), bytes),
                         "what unpacks packs to the same bytes");
        return 0;
    }
    Node node(kind & 1, kind & 2);
    if (kind & 4) node.wait(2000); // long enough to form a cluster alone
    while (!input.empty())
        take_next(node, input);
    return 0;
}
