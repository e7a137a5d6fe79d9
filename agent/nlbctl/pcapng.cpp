// SPDX-License-Identifier: Apache-2.0
// Every block is its type, its length, a body of whole words, and its length again; integers are
// in the writer's order, which the section header shows.
#include "agent/nlbctl/pcapng.hpp"

#include <cstring>

namespace agent::pcapng {
namespace {

enum class Block : std::uint32_t {
    section_header = 0x0a0d0d0a,
    interface_description = 1,
    interface_statistics = 5,
    enhanced_packet = 6,
};

enum Option : std::uint16_t {
    kEnd = 0,
    kComment = 1,
    kSectionProgram = 4,
    kInterfaceName = 2,
    kTimeResolution = 9,
    kPacketFlags = 2,
    kStatisticsBegun = 2,
    kStatisticsEnded = 3,
    kStatisticsReceived = 4,
    kStatisticsDropped = 5,
};

constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::uint16_t kEthernet = 1; // LINKTYPE_ETHERNET
constexpr char kNanoseconds = 9;       // ten to the minus ninth
constexpr std::uint32_t kInbound = 1;
constexpr std::size_t kLongestOption = 65535;

class Body {
  public:
    template <class Integer>
    Body &number(Integer value) {
        for (unsigned i = 0; i < sizeof value; ++i)
            bytes_ += static_cast<char>(value >> 8 * i & 0xff);
        return *this;
    }
    Body &padded(std::string_view bytes) {
        bytes_ += bytes;
        bytes_.append((4 - bytes.size() % 4) % 4, '\0');
        return *this;
    }
    Body &text(Option code, std::string_view value) {
        value = value.substr(0, kLongestOption);
        return number(std::uint16_t{code}).number(static_cast<std::uint16_t>(value.size())).padded(value);
    }
    template <class Integer>
    Body &integer(Option code, Integer value) {
        number(std::uint16_t{code}).number(std::uint16_t{sizeof value});
        return number(value);
    }
    // A time is two words, the higher one first.
    Body &time(std::uint64_t nanoseconds) {
        return number(static_cast<std::uint32_t>(nanoseconds >> 32))
            .number(static_cast<std::uint32_t>(nanoseconds));
    }
    Body &time_option(Option code, std::uint64_t nanoseconds) {
        number(std::uint16_t{code}).number(std::uint16_t{8});
        return time(nanoseconds);
    }
    std::string block(Block type) {
        text(kEnd, "");
        const auto length = static_cast<std::uint32_t>(bytes_.size() + 12);
        Body whole;
        whole.number(static_cast<std::uint32_t>(type)).number(length).bytes_ += bytes_;
        return whole.number(length).bytes_;
    }

  private:
    std::string bytes_;
};

} // namespace

std::string begin(const std::string &program, const std::string &interface,
                  std::uint32_t longest_packet) {
    Body section, description;
    section.number(kByteOrder).number(std::uint16_t{1}).number(std::uint16_t{0});
    section.number(~std::uint64_t{0}); // of a length that is not known yet
    section.text(kSectionProgram, program);
    description.number(kEthernet).number(std::uint16_t{0}).number(longest_packet);
    description.text(kInterfaceName, interface);
    description.text(kTimeResolution, std::string_view(&kNanoseconds, 1));
    return section.block(Block::section_header) + description.block(Block::interface_description);
}

std::string packet(const Packet &packet) {
    Body body;
    body.number(std::uint32_t{0}).time(packet.time_ns); // of interface 0
    body.number(static_cast<std::uint32_t>(packet.bytes.size())).number(packet.length);
    body.padded({reinterpret_cast<const char *>(packet.bytes.data()), packet.bytes.size()});
    body.text(kComment, packet.comment).integer(kPacketFlags, kInbound);
    return body.block(Block::enhanced_packet);
}

std::string end(const Statistics &statistics) {
    Body body;
    body.number(std::uint32_t{0}).time(statistics.ended_ns);
    body.time_option(kStatisticsBegun, statistics.begun_ns);
    body.time_option(kStatisticsEnded, statistics.ended_ns);
    body.integer(kStatisticsReceived, statistics.received);
    body.integer(kStatisticsDropped, statistics.dropped);
    return body.block(Block::interface_statistics);
}

std::size_t whole(std::string_view blocks) {
    std::size_t at = 0;
    for (std::uint32_t length = 0; blocks.size() - at >= 2 * sizeof length; at += length) {
        std::memcpy(&length, blocks.data() + at + sizeof length, sizeof length);
        if (length == 0 || length > blocks.size() - at) break;
    }
    return at;
}

} // namespace agent::pcapng
