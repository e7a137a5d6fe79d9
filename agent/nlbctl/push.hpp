// SPDX-License-Identifier: Apache-2.0
//
// `nlbctl reload NODE --file FILE`: a configuration file goes to all nodes and comes into force, or nothing has changed.
//
//   1. nlbctl checks the file and shows what it changes.
//   2. nlbctl asks every node whether the file could come into force there. A node that refuses ends the push.
//   3. Every node replaces its own file, and keeps the former one.
//   4. Every node reloads. If step 3 or 4 fails on a node, the others put the former file back.
//
// A dead node is skipped and, unless the file removes it, named: it needs the file when it is back.
#pragma once

#include "agent/control/commands.hpp"

#include <ostream>
#include <string>
#include <vector>

namespace agent {

struct PushOrder {
    std::string run_dir, file, node;
    bool json = false;
};

// Returns the checked text. Throws what is wrong with it.
std::string read_to_push(const std::string &file);

// What give() returns of the reload, with "difference", a list of lines, and "passed_over", names; prints neither when
// json is wanted. A step that came to nothing is the result instead, its "command" "push check", "push write" or
// "reload", with "restored": names of nodes that have the former file again.
Json push(const PushOrder &order, const std::string &text, std::ostream &out);

// Lines that one text has and the other has not, "- " and "+ " before them, each group under its table: "[cluster]".
std::vector<std::string> difference(const std::string &before, const std::string &after);

} // namespace agent
