// SPDX-License-Identifier: Apache-2.0
// Strict on the way in: a key that is missing, unknown or of another kind is damage.
#include "agent/orders/orders.hpp"

#include "agent/base/json.hpp"

#include <algorithm>
#include <stdexcept>

namespace agent {
namespace {

constexpr int kVersion = 1;
constexpr std::string_view kParts[] = {"serve", "drain", "stop"};
constexpr std::string_view kRuleOrders[] = {"disabled", "draining"};

template <class Value>
Json or_null(const std::optional<Value> &value) {
    return value ? Json(*value) : Json();
}

[[noreturn]] void refuse(const std::string &key) {
    throw std::runtime_error("\"" + key + "\" is missing or not valid");
}

template <class Enum, std::size_t N>
Enum word(const std::string_view (&words)[N], const Json &value, const std::string &key) {
    if (!value.is_string()) refuse(key);
    const auto found = std::ranges::find(words, value.get<std::string>());
    if (found == std::end(words)) refuse(key);
    return static_cast<Enum>(found - std::begin(words));
}

std::optional<std::int64_t> number(const Json &value, std::int64_t most, const std::string &key) {
    if (value.is_null()) return std::nullopt;
    if (!value.is_number_integer() || value < 0 || value > most) refuse(key);
    return value.get<std::int64_t>();
}

std::map<std::string, RuleOrder> rules_of(const Json &value) {
    if (!value.is_object()) refuse("rules");
    std::map<std::string, RuleOrder> rules;
    for (const auto &[name, order] : value.items())
        rules[name] = word<RuleOrder>(kRuleOrders, order, "rules");
    return rules;
}

const Json &at(const Json &object, const std::string &key) {
    if (!object.contains(key)) refuse(key);
    return object[key];
}

} // namespace

std::string_view to_string(Part part) { return kParts[static_cast<std::size_t>(part)]; }
std::string_view to_string(RuleOrder order) { return kRuleOrders[static_cast<std::size_t>(order)]; }

std::optional<RuleOrder> Orders::rule(const std::string &name) const {
    const auto found = rules.find(name);
    return found == rules.end() ? std::nullopt : std::optional(found->second);
}

std::string to_text(const Orders &orders) {
    Json rules = Json::object();
    for (const auto &[name, order] : orders.rules)
        rules[name] = to_string(order);
    const Json text{{"version", kVersion},
                    {"part", to_string(orders.part)},
                    {"drain_until", or_null(orders.drain_until)},
                    {"suspended", orders.suspended},
                    {"weight", or_null(orders.weight)},
                    {"rules", rules}};
    return text.dump() + "\n";
}

Orders parse_orders(const std::string &text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) throw std::runtime_error("it is cut off, or not a JSON object");
    if (at(json, "version") != kVersion)
        throw std::runtime_error("it is of version " + at(json, "version").dump() +
                                 ", this nlbd writes " + std::to_string(kVersion));
    if (json.size() != 6) throw std::runtime_error("it has keys that nlbd does not write");
    Orders orders;
    orders.part = word<Part>(kParts, at(json, "part"), "part");
    orders.drain_until = number(at(json, "drain_until"), std::int64_t{1} << 40, "drain_until");
    if (!at(json, "suspended").is_boolean()) refuse("suspended");
    orders.suspended = json["suspended"];
    if (const auto weight = number(at(json, "weight"), 100, "weight"))
        orders.weight = static_cast<std::uint8_t>(*weight);
    orders.rules = rules_of(at(json, "rules"));
    return orders;
}

bool is_disabled(const RuleConfig &rule, const Orders &orders) {
    return rule.mode == RuleMode::disabled || orders.rule(rule.name) == RuleOrder::disabled;
}

} // namespace agent
