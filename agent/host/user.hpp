// SPDX-License-Identifier: Apache-2.0
// A user of this host, by name.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace agent {

struct User {
    uid_t user = 0;
    gid_t group = 0; // the user's own
};

// Nothing if there is no such user. Throws `look up user NAME: cause` if the lookup fails.
// May wait for a directory server: not for the loop.
std::optional<User> find_account(const std::string &name);

} // namespace agent
