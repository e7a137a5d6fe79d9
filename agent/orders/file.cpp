// SPDX-License-Identifier: Apache-2.0
#include "agent/orders/file.hpp"

#include "agent/base/failure.hpp"
#include "agent/base/file.hpp"
#include "agent/base/log.hpp"

#include <stdexcept>

namespace agent {

OrdersFile::OrdersFile(const std::string &state_dir)
    : directory_(state_dir), path_(state_dir + "/orders.json") {}

Orders OrdersFile::load() const {
    try {
        const auto text = read_text(path_);
        return text ? parse_orders(*text) : Orders{};
    } catch (const std::exception &cause) {
        throw std::runtime_error("read orders " + path_ + ": " + cause.what() +
                                 "; put back a copy, or remove it to begin without orders: not "
                                 "stopped, not suspended, every rule enabled");
    }
}

OrdersFile::Outcome OrdersFile::put(const std::string &directory, const std::string &path,
                                    const Orders &orders) {
    try {
        const int doubt = orders == Orders{} ? remove_in(directory, path)
                                             : replace_in(directory, path, to_text(orders));
        if (doubt == 0) return {};
        return {"", "orders: written, but a loss of power may undo it (sync " + directory + ": " +
                        describe(doubt) + ")"};
    } catch (const std::exception &cause) {
        return {"write orders " + path + ": " + cause.what() +
                    "; nothing was changed, make room or another --state-dir and try again",
                ""};
    }
}

void OrdersFile::begin(const Orders &orders) {
    writing_.begin(
        [directory = directory_, path = path_, orders] { return put(directory, path, orders); });
}

std::optional<std::string> OrdersFile::finished() {
    const auto outcome = writing_.finished();
    if (!outcome) return std::nullopt;
    if (!outcome->warning.empty()) log::warn(outcome->warning);
    return outcome->failure;
}

} // namespace agent
