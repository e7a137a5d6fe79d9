// SPDX-License-Identifier: Apache-2.0
#include "agent/host/record.hpp"

#include "agent/base/failure.hpp"
#include "agent/base/file.hpp"
#include "filter/descriptor.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace agent {
namespace {

constexpr std::string_view kFirstLine = "nlbd 1";
constexpr std::array<std::string_view, 5> kKinds{"sysctl", "group", "address", "membership",
                                                 "mac"}; // by HostChange::Kind

std::vector<std::string_view> words(std::string_view line) {
    std::vector<std::string_view> all;
    while (!line.empty()) {
        const auto end = std::min(line.find(' '), line.size());
        all.push_back(line.substr(0, end));
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    return all;
}

std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// A name of a directory or file, and no way out of the one above: the record is the agent's user's, and
// its next reader may be root.
bool is_device(std::string_view text) {
    return !text.empty() && text != "." && text != ".." && text.find('/') == text.npos;
}
bool is_sysctl(std::string_view text) {
    if (text.starts_with("ipv6/")) text.remove_prefix(5);
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

// The line up to the next newline, which is taken off the text; nothing when no whole line is
// left.
std::optional<std::string_view> take_line(std::string_view &text) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return line;
}

} // namespace

bool HostChange::same_thing(const HostChange &other) const {
    return kind == other.kind && index == other.index && device == other.device &&
           what == other.what;
}

std::string to_string(const HostChange &change) {
    std::string text{kKinds[static_cast<std::size_t>(change.kind)]};
    text += " " + std::to_string(change.index) + " " + change.device + " " + change.what;
    if (change.kind == HostChange::Kind::sysctl)
        text += " " + std::to_string(change.before) + " " + std::to_string(change.value);
    return text;
}

std::optional<HostChange> parse_change(std::string_view line) {
    const auto word = words(line);
    if (word.empty()) return std::nullopt;
    const auto kind = std::find(kKinds.begin(), kKinds.end(), word[0]);
    HostChange change;
    change.kind = static_cast<HostChange::Kind>(kind - kKinds.begin());
    const bool sysctl = kind == kKinds.begin();
    if (kind == kKinds.end() || word.size() != (sysctl ? 6U : 4U)) return std::nullopt;
    const auto index = number(word[1]);
    const auto before = number(sysctl ? word[4] : "0"), value = number(sysctl ? word[5] : "0");
    if (!index || !before || !value || !is_device(word[2])) return std::nullopt;
    if (sysctl && !is_sysctl(word[3])) return std::nullopt;
    change.index = *index;
    change.device = word[2];
    change.what = word[3];
    change.before = *before;
    change.value = *value;
    return change;
}

std::string to_string(const HostRecord &record) {
    std::string text = std::string(kFirstLine) + "\nplace " + record.place + "\n";
    for (const auto &change : record.changes)
        text += to_string(change) + "\n";
    return text;
}

std::optional<HostRecord> parse_record(std::string_view text) {
    constexpr std::string_view place = "place ";
    const auto first = take_line(text), second = take_line(text);
    if (first != kFirstLine || !second || !second->starts_with(place)) return std::nullopt;
    HostRecord record;
    record.place = second->substr(place.size());
    while (const auto line = take_line(text)) {
        const auto change = parse_change(*line);
        if (!change) return std::nullopt;
        record.changes.push_back(*change);
    }
    return text.empty() ? std::optional(record) : std::nullopt;
}

std::string this_place() {
    std::string boot;
    if (!(std::ifstream("/proc/sys/kernel/random/boot_id") >> boot))
        throw std::runtime_error("read /proc/sys/kernel/random/boot_id: not readable");
    const filter::Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    std::uint64_t cookie = 0; // the network namespace's, never used twice within a boot
    socklen_t size = sizeof cookie;
    if (getsockopt(any.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
        fail("identify network namespace");
    return boot + " " + std::to_string(cookie);
}

HostRecord load_record(const std::string &file) {
    const HostRecord empty{this_place(), {}};
    std::ifstream stream(file, std::ios::binary);
    if (!stream && errno == ENOENT) return empty;
    if (!stream) fail("read " + file);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    const auto record = parse_record(text);
    if (!record)
        throw std::runtime_error("read " + file +
                                 ": not a record of nlbd's; undo what it lists and remove it");
    return record->place == empty.place ? *record : empty;
}

void save_record(const HostRecord &record, const std::string &file) {
    const std::string draft = file + ".new";
    const filter::Descriptor made(
        open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!made) fail("write " + draft);
    const int cause = replace_synced(file, draft, made.get(), to_string(record));
    if (cause != 0) fail("write " + file, cause);
}

} // namespace agent
