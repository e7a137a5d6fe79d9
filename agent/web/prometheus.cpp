// SPDX-License-Identifier: Apache-2.0
#include "agent/web/prometheus.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

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

// Fields of /proc/self/stat as in proc(5), numbered from 1: those after the name, which is in brackets and may hold anything; [0] is field 3.
std::vector<std::string> stat_fields() {
    std::ifstream file("/proc/self/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t end = text.rfind(')');
    if (end == std::string::npos) return {};
    std::istringstream rest(text.substr(end + 1));
    std::vector<std::string> fields;
    for (std::string field; rest >> field;)
        fields.push_back(field);
    return fields;
}

double boot_time() { // seconds since 1970
    std::ifstream file("/proc/stat");
    for (std::string word; file >> word;)
        if (double seconds = 0; word == "btime" && file >> seconds) return seconds;
    return 0;
}

std::optional<std::uint64_t> open_descriptors() {
    DIR *directory = opendir("/proc/self/fd");
    if (!directory) return std::nullopt;
    std::uint64_t count = 0;
    while (const dirent *entry = readdir(directory))
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count - 1; // except the one that reads them
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

void add_process(MetricsText &out) {
    const std::vector<std::string> stat = stat_fields();
    if (stat.size() > 21) {
        const auto field = [&](std::size_t number) { return std::stod(stat[number - 3]); };
        const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
        out.counter("process_cpu_seconds_total",
                    "Processor time, in user space and in the kernel.");
        out.sample({}, (field(14) + field(15)) / ticks);
        out.gauge("process_start_time_seconds", "When it started, since 1970.");
        out.sample({}, boot_time() + field(22) / ticks);
        out.gauge("process_virtual_memory_bytes", "Memory that is mapped.");
        out.sample({}, field(23));
        out.gauge("process_resident_memory_bytes", "Memory that it holds.");
        out.sample({}, field(24) * static_cast<double>(sysconf(_SC_PAGESIZE)));
    }
    out.gauge("process_open_fds", "Open file descriptors.");
    if (const auto count = open_descriptors()) out.sample({}, *count);
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    out.gauge("process_max_fds", "How many it may have.");
    out.sample({}, std::uint64_t{limit.rlim_cur});
}

} // namespace agent
