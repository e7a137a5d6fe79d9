// SPDX-License-Identifier: Apache-2.0
#include "agent/host/user.hpp"

#include "agent/base/failure.hpp"

#include <pwd.h>

#include <cerrno>
#include <vector>

namespace agent {

std::optional<User> find_account(const std::string &name) {
    std::vector<char> buffer(1024);
    passwd entry{}, *found = nullptr;
    int error = 0;
    while ((error = getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found)) ==
           ERANGE)
        buffer.resize(2 * buffer.size());
    if (found) return User{entry.pw_uid, entry.pw_gid};
    if (error == 0 || error == ENOENT || error == ESRCH)
        return std::nullopt; // as getpwnam(3) warns
    fail("look up user " + name, error);
}

} // namespace agent
