// SPDX-License-Identifier: Apache-2.0
//
// What an agent that was taken over may say to its monitor, and what it may be told.
//
//     [kind: 0 an order; 1 an end] [text]
#include "target.hpp"

#include "agent/monitor/message.hpp"

#include <string>

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    if (size == 0) return 0;
    const std::string text(data + 1, data + size);
    if (data[0] % 2 == 0) {
        const auto order = agent::parse_order(text);
        if (!order) return 0;
        const auto again = agent::parse_order(agent::to_text(*order));
        fuzz::expect(again && again->command == order->command && again->number == order->number &&
                         again->rule == order->rule && again->user == order->user,
                     "an order that was read is said again");
    } else if (const auto ended = agent::parse_ended(text)) {
        fuzz::expect(agent::parse_ended(agent::to_text(*ended)).has_value(), "an end that was read is said again");
    }
    return 0;
}
