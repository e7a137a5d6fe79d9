// SPDX-License-Identifier: Apache-2.0
#include "agent/web/prometheus.hpp"

#include <array>
#include <charconv>

namespace agent {
namespace {

std::string escaped(std::string_view value) {
    std::string out;
    for (const char c : value) {
        if (c == '\n')
            out += "\\n";
        else {
            if (c == '\\' || c == '"') out += '\\';
            out += c;
        }
    }
    return out;
}

std::string text_of(std::uint64_t value) { return std::to_string(value); }

// As short as it can be and still come out the same, without an exponent.
std::string text_of(double value) {
    std::array<char, 400> digits{};
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed)
            .ptr;
    return {digits.data(), end};
}

} // namespace

void MetricsText::begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    header_ = "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " +
              std::string(type) + "\n";
}

void MetricsText::line(std::string_view suffix, Labels labels, std::string_view value) {
    text_ += header_;
    header_.clear();
    text_.append(name_).append(suffix);
    char before = '{';
    for (const auto &[name, content] : labels) {
        text_.append(1, before).append(name).append("=\"").append(escaped(content)).append("\"");
        before = ',';
    }
    if (before == ',') text_ += '}';
    text_.append(" ").append(value).append("\n");
}

void MetricsText::sample(Labels labels, std::uint64_t value) { line("", labels, text_of(value)); }
void MetricsText::sample(Labels labels, double value) { line("", labels, text_of(value)); }

void MetricsText::histogram(std::string_view name, std::string_view help,
                            std::span<const double> bounds, std::span<const std::uint64_t> counts,
                            double sum) {
    begin(name, "histogram", help);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        below += counts[i];
        const std::string bound = i < bounds.size() ? text_of(bounds[i]) : "+Inf";
        line("_bucket", {{"le", bound}}, text_of(below));
    }
    line("_sum", {}, text_of(sum));
    line("_count", {}, text_of(below));
}

} // namespace agent
