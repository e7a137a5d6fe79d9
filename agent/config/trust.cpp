// SPDX-License-Identifier: Apache-2.0
#include "agent/config/trust.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>

namespace agent {

std::optional<std::string> distrust(const std::string &file, const struct stat &status) {
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return "it belongs to user " + std::to_string(status.st_uid) +
               ", who can change it; give it to root with: chown root " + file;
    if (S_ISREG(status.st_mode) && (status.st_mode & S_IWOTH) != 0)
        return "anybody may write to it; close it with: chmod o-w " + file;
    return std::nullopt;
}

void require_trusted(const std::string &file) {
    struct stat status {};
    if (stat(file.c_str(), &status) == 0) require_trusted(file, status);
}

void require_trusted(const std::string &file, const struct stat &status) {
    if (const auto why = distrust(file, status))
        throw std::runtime_error("read configuration " + file + ": " + *why);
}

} // namespace agent
