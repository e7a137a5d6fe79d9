// SPDX-License-Identifier: Apache-2.0
// Widths follow Unicode's East Asian Width in the ranges that names are likely to come from.
#include "agent/nlbctl/table.hpp"

#include <algorithm>
#include <utility>

namespace agent {
namespace {

using Range = std::pair<char32_t, char32_t>;
constexpr Range kCombining[] = {
    {0x300, 0x36f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};
constexpr Range kWide[] = {
    {0x1100, 0x115f}, {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},  {0x4e00, 0x9fff},
    {0xa000, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},  {0xff00, 0xff60},
    {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

template <std::size_t N>
bool within(const Range (&ranges)[N], char32_t point) {
    return std::ranges::any_of(ranges, [point](const Range &range) {
        return range.first <= point && point <= range.second;
    });
}

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// The code point at text[0], whose length is then removed from text. Invalid bytes count one by
// one.
char32_t next_point(std::string_view &text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    char32_t point = length == 1 ? first : first & (0x7fu >> length);
    std::size_t taken = 1;
    for (; taken < length && taken < text.size() && continues(text[taken]); ++taken)
        point = point << 6 | (static_cast<unsigned char>(text[taken]) & 0x3fu);
    text.remove_prefix(taken);
    return point;
}

const char *escape(Colour colour) {
    switch (colour) {
    case Colour::bold:
        return "\033[1m";
    case Colour::dim:
        return "\033[2m";
    case Colour::green:
        return "\033[32m";
    case Colour::yellow:
        return "\033[33m";
    case Colour::red:
        return "\033[31m";
    case Colour::plain:
        break;
    }
    return "";
}

} // namespace

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const char32_t point = next_point(text);
        if (!within(kCombining, point)) width += within(kWide, point) ? 2 : 1;
    }
    return width;
}

std::string paint(const std::string &text, Colour colour, bool colours_wanted) {
    if (!colours_wanted || colour == Colour::plain || text.empty()) return text;
    return escape(colour) + text + "\033[0m";
}

std::string clipped(std::string_view text, std::size_t columns) {
    std::string_view rest = text;
    for (std::size_t width = 0; !rest.empty();) {
        const std::string_view before = rest;
        const char32_t point = next_point(rest);
        width += within(kCombining, point) ? 0 : within(kWide, point) ? 2 : 1;
        if (width > columns) return std::string(text.substr(0, text.size() - before.size()));
    }
    return std::string(text);
}

std::vector<Line> Table::lines() const {
    std::vector<Line> rows(1);
    for (const Column &column : columns_)
        rows[0].push_back({column.title, Colour::dim});
    rows.insert(rows.end(), rows_.begin(), rows_.end());
    std::vector<std::size_t> widths(columns_.size());
    for (const auto &row : rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], display_width(row[i].text));
    std::vector<Line> result;
    for (const auto &row : rows) {
        Line &line = result.emplace_back();
        std::string blanks = "  ";
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string padding(widths[i] - display_width(row[i].text), ' ');
            if (columns_[i].right) blanks += padding;
            if (!row[i].text.empty()) { // blanks at the end of a line are never written
                line.push_back({std::exchange(blanks, "")});
                line.push_back(row[i]);
            }
            if (!columns_[i].right) blanks += padding;
            blanks += "  ";
        }
    }
    return result;
}

std::string Table::text(bool colours_wanted) const {
    std::string result;
    for (const Line &line : lines()) {
        for (const Cell &cell : line)
            result += paint(cell.text, cell.colour, colours_wanted);
        result += '\n';
    }
    return result;
}

} // namespace agent
