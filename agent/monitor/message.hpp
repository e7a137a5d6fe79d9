// SPDX-License-Identifier: Apache-2.0
//
// What the agent and its monitor say to each other over two pairs of SOCK_SEQPACKET sockets, one message at a time: orders in
// JSON and how commands ended, and file names, each answered by a descriptor or the cause why there is none.
#pragma once

#include "filter/descriptor.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace agent {

struct Order {
    enum class Kind { run, kill };
    Kind kind = Kind::run;
    std::uint32_t number = 0; // of the run
    std::string rule, user;   // run: the command gets the rule as NLB_RULE and runs as the user
    std::vector<std::string> command;
};

struct Ended {
    std::uint32_t number = 0;
    bool succeeded = false;
    std::string reason; // why it did not; empty when it did
};

std::string to_text(const Order &order);
std::string to_text(const Ended &ended);
// Nothing: the text is not one of these.
std::optional<Order> parse_order(const std::string &text);
std::optional<Ended> parse_ended(const std::string &text);

// Two ends, close-on-exec. Throws.
std::pair<filter::Descriptor, filter::Descriptor> make_pair_of_sockets();

enum class Wait { no, yes };
// 0, or the cause as in errno.
int say(int socket, const std::string &text, Wait wait);
// Nothing: there is none. Empty: the other side has ended.
std::optional<std::string> hear(int socket, Wait wait);

struct Opened {
    filter::Descriptor file;
    int cause = 0; // as in errno, when the file is missing
};
int say(int socket, const Opened &opened);
Opened hear_opened(int socket); // waits; ECONNRESET: the other side has ended

} // namespace agent
