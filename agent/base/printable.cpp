// SPDX-License-Identifier: Apache-2.0
#include "agent/base/printable.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>

namespace agent {
namespace {

struct Range {
    char32_t first, last;
};

// Unicode's general categories Cc, Zl, Zp and Bidi_Control, and zero-width characters that join nothing.
constexpr Range kUnseen[] = {{0, 0x1f},         {0x7f, 0x9f},     {0xad, 0xad},
                             {0x61c, 0x61c},    {0x180e, 0x180e}, {0x200b, 0x200f},
                             {0x2028, 0x202e},  {0x2060, 0x206f}, {0xd800, 0xdfff},
                             {0xfeff, 0xfeff},  {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
                             {0x110000, ~0u}};

bool is_seen(char32_t point) {
    return std::ranges::none_of(kUnseen, [point](const Range &unseen) {
        return point >= unseen.first && point <= unseen.last;
    });
}

// The bytes of the first character, which is seen; 0: of none.
std::size_t seen_length(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x80) return is_seen(first) ? 1 : 0;
    const auto length = static_cast<std::size_t>(std::countl_one(first));
    if (length < 2 || length > 4 || text.size() < length) return 0;
    char32_t point = first & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xc0) != 0x80) return 0;
        point = point << 6 | (next & 0x3f);
    }
    constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000}; // below it, a shorter form exists
    return point >= kLeast[length] && is_seen(point) ? length : 0;
}

// The length of an invisible or malformed sequence: one character, so that it leaves one mark.
std::size_t unseen_length(std::string_view text) {
    const auto goes_on = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
    const auto end = std::find_if_not(text.begin() + 1, text.end(), goes_on);
    return static_cast<std::size_t>(std::distance(text.begin(), end));
}

} // namespace

std::string printable(std::string_view text, std::size_t most) {
    constexpr std::string_view kBlanks = "\t\n\v\f\r", kMore = "...";
    std::string shown;
    while (!text.empty()) {
        std::size_t length = seen_length(text);
        std::string_view part = text.substr(0, length);
        if (length == 0) {
            part = kBlanks.find(text[0]) != kBlanks.npos ? " " : "?";
            length = unseen_length(text);
        }
        if (shown.size() + part.size() > most) return shown.append(kMore);
        shown.append(part);
        text.remove_prefix(length);
    }
    return shown;
}

} // namespace agent
