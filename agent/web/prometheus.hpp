// SPDX-License-Identifier: Apache-2.0
//
// The Prometheus text format, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/): for each metric a HELP and a TYPE
// line and then all of its samples.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace agent {

class MetricsText {
  public:
    using Label = std::pair<std::string_view, std::string_view>; // name, value: any bytes
    using Labels = std::initializer_list<Label>;

    // What samples belong to from here on. Each name once. A family without samples is not printed.
    void gauge(std::string_view name, std::string_view help) { begin(name, "gauge", help); }
    void counter(std::string_view name, std::string_view help) { begin(name, "counter", help); }

    void sample(Labels labels, std::uint64_t value);
    void sample(Labels labels, double value);
    // A whole histogram; counts are not cumulative, one more than there are bounds.
    void histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                   std::span<const std::uint64_t> counts, double sum);

    const std::string &text() const { return text_; }

  private:
    void begin(std::string_view name, std::string_view type, std::string_view help);
    void line(std::string_view suffix, Labels labels, std::string_view value);

    std::string name_, header_, text_; // the header waits for the first sample
};

// What every program tells of its own process, by the names that Prometheus's clients have for it.
// Reads /proc; what cannot be read is left out.
void add_process(MetricsText &out);

} // namespace agent
