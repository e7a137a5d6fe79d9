// SPDX-License-Identifier: Apache-2.0
#include "agent/health/http.hpp"

#include "agent/base/version.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace agent {
namespace {

constexpr std::size_t kLongestLine = 1024;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string request(const Connector &connector, const HealthConfig &wanted) {
    return "GET " + wanted.path + " HTTP/1.1\r\nHost: " + wanted.host.value_or(connector.end()) +
           "\r\nUser-Agent: nlbd/" + std::string(kVersion) +
           "\r\nAccept: */*\r\nConnection: close\r\n\r\n";
}

std::string list(const std::vector<std::uint16_t> &codes) {
    std::string text;
    for (const std::uint16_t code : codes)
        text += (text.empty() ? "" : " or ") + std::to_string(code);
    return text;
}

} // namespace

std::optional<unsigned> parse_status_line(std::string_view line) {
    if (line.size() < 12 || !line.starts_with("HTTP/1.") || !is_digit(line[7]) || line[8] != ' ')
        return std::nullopt;
    const std::string_view code = line.substr(9, 3);
    if (!std::ranges::all_of(code, is_digit) || (line.size() > 12 && line[12] != ' '))
        return std::nullopt;
    return static_cast<unsigned>((code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'));
}

HttpCheck::HttpCheck(const filter::IpAddress &address, const HealthConfig &wanted)
    : connector_({address, wanted.port}), wanted_(wanted), request_(request(connector_, wanted)) {}

bool HttpCheck::begin() {
    connected_ = false;
    sent_ = 0;
    answer_.clear();
    connector_.begin();
    return true;
}

std::optional<CheckResult> HttpCheck::handle() {
    if (!connected_) {
        const Connecting state = connector_.handle();
        if (state == Connecting::failed) return fail(connector_.why());
        if (state == Connecting::under_way) return std::nullopt;
        connected_ = true;
    }
    if (sent_ < request_.size())
        if (auto failure = send_rest()) return failure;
    return receive();
}

std::optional<CheckResult> HttpCheck::send_rest() {
    const ssize_t sent = send(connector_.descriptor(), request_.data() + sent_, request_.size() - sent_,
                              MSG_NOSIGNAL);
    if (sent >= 0) sent_ += static_cast<std::size_t>(sent);
    else if (errno != EAGAIN && errno != EINTR)
        return fail("send to " + connector_.end() + ": " + std::generic_category().message(errno));
    return std::nullopt;
}

// One piece is enough for any first line; the check does not wait for the rest of the page.
std::optional<CheckResult> HttpCheck::receive() {
    std::array<char, 16384> buffer;
    const ssize_t size = recv(connector_.descriptor(), buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (size < 0)
        return fail("GET " + wanted_.path + ": " + std::generic_category().message(errno));
    answer_.append(buffer.data(), static_cast<std::size_t>(size));
    const std::size_t end = answer_.find('\n');
    if (end != answer_.npos) return judge(std::string_view(answer_).substr(0, end));
    if (size == 0) return fail("GET " + wanted_.path + ": it closes without an answer");
    if (answer_.size() > kLongestLine) return judge("");
    return std::nullopt;
}

CheckResult HttpCheck::judge(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto code = parse_status_line(line);
    if (!code) return fail("GET " + wanted_.path + ": what it answers is not HTTP");
    if (!std::ranges::count(wanted_.status, *code))
        return fail("GET " + wanted_.path + ": answers " + std::to_string(*code) + ", not " +
                    list(wanted_.status));
    connector_.close();
    return {true, ""};
}

CheckResult HttpCheck::fail(const std::string &why) {
    connector_.close();
    return {false, why};
}

void HttpCheck::wait(Poll &poll) const {
    const bool writes = !connected_ || sent_ < request_.size();
    writes ? poll.write(connector_.descriptor()) : poll.read(connector_.descriptor());
}

} // namespace agent
