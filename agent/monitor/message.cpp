// SPDX-License-Identifier: Apache-2.0
#include "agent/monitor/message.hpp"

#include "agent/base/failure.hpp"
#include "agent/base/json.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace agent {
namespace {

// Nothing: a key is missing or has another type.
template <class Read>
auto parse(const std::string &text, const Read &read) -> std::optional<decltype(read(Json()))> {
    try {
        return read(Json::parse(text));
    } catch (const Json::exception &) {
        return std::nullopt;
    }
}

union Passed { // aligned for its header
    cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

} // namespace

std::string to_text(const Order &order) {
    return Json{{"run", order.kind == Order::Kind::run},
                {"number", order.number},
                {"rule", order.rule},
                {"user", order.user},
                {"command", order.command}}
        .dump();
}

std::string to_text(const Ended &ended) {
    return Json{{"number", ended.number}, {"succeeded", ended.succeeded}, {"reason", ended.reason}}.dump(
        -1, ' ', false, Json::error_handler_t::replace);
}

std::optional<Order> parse_order(const std::string &text) {
    return parse(text, [](const Json &json) {
        Order order;
        order.kind = json.at("run").get<bool>() ? Order::Kind::run : Order::Kind::kill;
        json.at("number").get_to(order.number);
        json.at("rule").get_to(order.rule);
        json.at("user").get_to(order.user);
        json.at("command").get_to(order.command);
        return order;
    });
}

std::optional<Ended> parse_ended(const std::string &text) {
    return parse(text, [](const Json &json) {
        return Ended{json.at("number").get<std::uint32_t>(), json.at("succeeded").get<bool>(),
                     json.at("reason").get<std::string>()};
    });
}

std::pair<filter::Descriptor, filter::Descriptor> make_pair_of_sockets() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) fail("open a pair of sockets");
    return {filter::Descriptor(ends[0]), filter::Descriptor(ends[1])};
}

int say(int socket, const std::string &text, Wait wait) {
    const int flags = MSG_NOSIGNAL | (wait == Wait::no ? MSG_DONTWAIT : 0);
    return send(socket, text.data(), text.size(), flags) < 0 ? errno : 0;
}

std::optional<std::string> hear(int socket, Wait wait) {
    const int flags = wait == Wait::no ? MSG_DONTWAIT : 0;
    const ssize_t size = recv(socket, nullptr, 0, flags | MSG_PEEK | MSG_TRUNC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    std::string text(static_cast<std::size_t>(std::max<ssize_t>(size, 0)), '\0');
    if (!text.empty() && recv(socket, text.data(), text.size(), 0) != size) text.clear();
    return text;
}

int say(int socket, const Opened &opened) {
    iovec data{const_cast<int *>(&opened.cause), sizeof opened.cause};
    Passed passed{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (opened.file) {
        const int fd = opened.file.get();
        passed.header = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
        std::memcpy(CMSG_DATA(&passed.header), &fd, sizeof fd);
        message.msg_control = passed.bytes;
        message.msg_controllen = sizeof passed.bytes;
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? errno : 0;
}

Opened hear_opened(int socket) {
    Opened opened{filter::Descriptor(), ECONNRESET};
    iovec data{&opened.cause, sizeof opened.cause};
    Passed passed{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = passed.bytes;
    message.msg_controllen = sizeof passed.bytes;
    ssize_t size = 0;
    do size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    const cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (header && header->cmsg_type == SCM_RIGHTS) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
        opened.file = filter::Descriptor(fd);
    }
    return opened;
}

} // namespace agent
