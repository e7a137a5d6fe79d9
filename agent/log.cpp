// SPDX-License-Identifier: Apache-2.0
// spdlog on standard error. Under systemd the journal adds the time itself.
#include "agent/log.hpp"

#include "agent/clock.hpp"
#include "agent/repeats.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace agent::log {
namespace {

void print(spdlog::level::level_enum level, const std::string &line) {
    static Repeats repeats;
    if (const auto text = repeats.pass(line, boot_now())) spdlog::log(level, "{}", *text);
}

} // namespace

void open() {
    auto logger =
        std::make_shared<spdlog::logger>("nlbd", std::make_shared<spdlog::sinks::stderr_sink_st>());
    logger->set_pattern(std::getenv("JOURNAL_STREAM") ? "%l: %v" : "%Y-%m-%d %H:%M:%S.%e %l: %v");
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

void info(const std::string &line) { print(spdlog::level::info, line); }
void warn(const std::string &line) { print(spdlog::level::warn, line); }
void error(const std::string &line) { print(spdlog::level::err, line); }

} // namespace agent::log
