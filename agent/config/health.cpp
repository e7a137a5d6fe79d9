// SPDX-License-Identifier: Apache-2.0
//
// How a rule's service is examined. Each type has keys of its own, and a key of another type is
// refused, so that no administrator relies on a check that is not made.
#include "agent/config/sections.hpp"
#include "agent/config/words.hpp"

#include <algorithm>

namespace agent {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kOfNone[] = {"type"};
constexpr std::string_view kOfTcp[] = {"type", "port", "interval_ms", "timeout_ms", "rise", "fall"};
constexpr std::string_view kOfHttp[] = {"type",       "port", "path", "status", "host", "interval_ms",
                                        "timeout_ms", "rise", "fall"};
constexpr std::string_view kOfExec[] = {"type", "command", "user", "interval_ms", "timeout_ms",
                                        "rise", "fall"};

std::span<const std::string_view> keys_of(HealthType type) {
    if (type == HealthType::tcp) return kOfTcp;
    if (type == HealthType::http) return kOfHttp;
    if (type == HealthType::exec) return kOfExec;
    return kOfNone;
}

// Refuses characters that would end the line of the request that the word becomes part of.
std::string word(const Field &field, const std::string &noun, bool path) {
    constexpr std::size_t kLongest = 1024;
    const std::string must_be = path ? "one that begins with / and has no spaces" : "one without spaces";
    const std::string written = text(field, "a " + noun + ", " + must_be);
    const bool fits = !written.empty() && written.size() <= kLongest &&
                      std::all_of(written.begin(), written.end(),
                                  [](char c) { return c > ' ' && c < 127; }) &&
                      (!path || written[0] == '/');
    if (!fits) field.refuse(shown(written) + " is not a valid " + noun + ", must be " + must_be);
    return written;
}

std::uint16_t status_code(const Field &field) {
    return static_cast<std::uint16_t>(integer(field, 100, 599));
}

// One, or a list of them.
std::vector<std::uint16_t> read_status(const Field &field) {
    if (field.value->kind != TomlValue::Kind::array) return {status_code(field)};
    if (field.value->items.empty()) field.refuse("is empty, must hold at least one status code");
    std::vector<std::uint16_t> codes;
    Unique unique;
    for (const TomlValue &item : field.value->items) {
        const Field code{field.file, field.key, &item};
        codes.push_back(status_code(code));
        unique.claim(code, std::to_string(codes.back()));
    }
    std::sort(codes.begin(), codes.end());
    return codes;
}

std::vector<std::string> read_command(const Field &field) {
    constexpr std::string_view must_be = "an array of strings, the first one the path of a program";
    if (field.value->kind != TomlValue::Kind::array || field.value->items.empty())
        field.refuse("must be " + std::string(must_be) + " (no shell reads it)");
    std::vector<std::string> words;
    for (const Field &item : list(field)) {
        words.push_back(text(item, "a string"));
        if (words.back().find('\0') != std::string::npos) item.refuse("holds a zero byte");
    }
    if (words[0].empty() || words[0][0] != '/')
        list(field)[0].refuse(shown(words[0]) + " is not an absolute path, must begin with /");
    return words;
}

// Where the service is looked for: at the rule's own port, if there is one.
std::uint16_t read_port(const Section &health, const RuleConfig &rule) {
    constexpr const char *must_be = "a port from 1 to 65535, for the rule covers more than one";
    if (const auto port = health.find("port"))
        return static_cast<std::uint16_t>(integer(*port, 1, 65535));
    if (rule.first_port != rule.last_port || rule.first_port == 0) health.need("port", must_be);
    return rule.first_port;
}

void read_times(const Section &health, HealthConfig &config) {
    if (const auto interval = health.find("interval_ms"))
        config.interval = milliseconds(integer(*interval, 50, 3'600'000));
    config.timeout = std::min(config.timeout, config.interval);
    if (const auto timeout = health.find("timeout_ms"))
        config.timeout = milliseconds(integer(*timeout, 10, config.interval.count()));
    if (const auto rise = health.find("rise"))
        config.rise = static_cast<unsigned>(integer(*rise, 1, 100));
    if (const auto fall = health.find("fall"))
        config.fall = static_cast<unsigned>(integer(*fall, 1, 100));
}

} // namespace

HealthConfig default_health(HealthType type) {
    HealthConfig config;
    config.type = type;
    if (type == HealthType::exec) {
        config.interval = milliseconds(5000);
        config.timeout = milliseconds(2000);
    }
    return config;
}

HealthConfig read_health(const Field &field, const RuleConfig &rule) {
    const Section health(field);
    const Field type = health.need("type", one_of(kHealthTypes));
    HealthConfig config =
        default_health(static_cast<HealthType>(choice(type, kHealthTypes)));
    health.only(keys_of(config.type));
    if (config.type == HealthType::listener && rule.protocol == Protocol::udp)
        type.refuse("\"listener\" looks for TCP sockets, must be \"none\", \"tcp\", \"http\" or "
                    "\"exec\" with protocol \"udp\"");
    if (config.type == HealthType::tcp || config.type == HealthType::http)
        config.port = read_port(health, rule);
    if (config.type == HealthType::exec)
        config.command = read_command(
            health.need("command", "an array of strings, the first one the path of a program"));
    if (const auto path = health.find("path"))
        config.path = word(*path, "path", true);
    if (const auto status = health.find("status")) config.status = read_status(*status);
    if (const auto host = health.find("host"))
        config.host = word(*host, "name of a host", false);
    if (const auto user = health.find("user")) {
        config.user = name(*user);
        if (config.user == "root") user->refuse("must be a user without privileges");
    }
    read_times(health, config);
    return config;
}

} // namespace agent
