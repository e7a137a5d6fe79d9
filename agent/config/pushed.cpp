// SPDX-License-Identifier: Apache-2.0
#include "agent/config/pushed.hpp"

#include "agent/base/failure.hpp"
#include "agent/base/file.hpp"
#include "agent/config/toml.hpp"
#include "filter/descriptor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <system_error>

namespace agent {
namespace {

// Of this process alone: agents of several nodes may share a directory.
std::string draft_of(const std::string &file) { return file + "." + std::to_string(getpid()) + ".new"; }

bool same_command(const HealthConfig &one, const HealthConfig &other) {
    return one.command == other.command && one.user == other.user;
}

bool is_new_command(const Config &present, const RuleConfig &rule) {
    return rule.health.type == HealthType::exec &&
           std::ranges::none_of(present.rules, [&](const RuleConfig &known) {
               return known.health.type == HealthType::exec && same_command(known.health, rule.health);
           });
}

[[noreturn]] void fail_to_write(const std::string &file, int cause) {
    throw std::system_error(cause, std::generic_category(), "write " + file);
}

// Links the present file to FILE.old, in the place of an earlier one.
void keep_former(const std::string &file) {
    const std::string kept = file + ".old", draft = draft_of(kept);
    unlink(draft.c_str());
    if (link(file.c_str(), draft.c_str()) != 0 || std::rename(draft.c_str(), kept.c_str()) != 0)
        fail_to_write(kept, errno);
}

std::string read_pushed(const std::string &pushed) {
    const filter::Descriptor opened(
        open(pushed.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat about {};
    if (!opened || fstat(opened.get(), &about) != 0) fail("read " + pushed);
    if (!S_ISREG(about.st_mode) || about.st_nlink != 1)
        throw std::runtime_error("read " + pushed + ": is not a file with one name");
    std::string text(kMaxPushed + 1, '\0');
    const ssize_t size = read(opened.get(), text.data(), text.size());
    if (size < 0) fail("read " + pushed);
    text.resize(static_cast<std::size_t>(size));
    if (text.size() > kMaxPushed) throw std::runtime_error("read " + pushed + ": is too large");
    return text;
}

void refuse(const std::string &file, const std::string &what) {
    throw std::runtime_error(file + ": " + what + "; copy the file to this node, then nlbctl reload");
}

} // namespace

Config parse_pushed(const Config &present, const std::string &text) {
    if (text.size() > kMaxPushed)
        refuse(present.file, "is sent with at most " + std::to_string(kMaxPushed) + " bytes");
    Config next = parse_config(text, present.file);
    for (const RuleConfig &rule : next.rules)
        if (is_new_command(present, rule))
            refuse(present.file, "rule \"" + rule.name +
                                     "\": another node must not bring a new command or user of a health check");
    if (present.key_file != next.key_file)
        refuse(present.file, "cluster.key_file: another node must not name another one");
    return next;
}

void replace_config(const std::string &file, const std::string &text) {
    struct stat about {};
    if (lstat(file.c_str(), &about) != 0) fail_to_write(file, errno);
    if (!S_ISREG(about.st_mode))
        throw std::runtime_error("write " + file + ": is not a regular file; name the file itself with --config");
    const std::string draft = draft_of(file);
    const filter::Descriptor made(
        open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!made || fchmod(made.get(), about.st_mode & 07777) != 0) fail_to_write(draft, errno);
    keep_former(file);
    if (const int cause = replace_synced(file, draft, made.get(), text); cause != 0)
        fail_to_write(file, cause);
}

void accept_config(const std::string &pushed, const std::string &file) {
    const std::string text = read_pushed(pushed);
    parse_pushed(load_config(file), text);
    if (text != read_toml(file)) replace_config(file, text);
}

} // namespace agent
