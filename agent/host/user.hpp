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

// Nothing: there is none of that name. Throws `look up user NAME: cause` when that cannot be said.
// May wait for a server that knows the users: not for the loop.
std::optional<User> find_account(const std::string &name);

} // namespace agent
