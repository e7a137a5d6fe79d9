// SPDX-License-Identifier: Apache-2.0
#include "agent/account.hpp"

#include <pwd.h>

#include <array>

namespace agent {

std::optional<Account> find_account(const std::string &name) {
    std::array<char, 4096> buffer;
    passwd entry{}, *found = nullptr;
    getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (!found) return std::nullopt;
    return Account{entry.pw_uid, entry.pw_gid};
}

} // namespace agent
