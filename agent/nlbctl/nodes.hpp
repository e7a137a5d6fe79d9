// SPDX-License-Identifier: Apache-2.0
//
// Commands that change nodes, as nlbctl gives them: the local agent passes them on, and says for
// each node what became of it.
#pragma once

#include "agent/base/exit.hpp"
#include "agent/control/commands.hpp"

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace agent {

// The agent may be of another version, or have been taken over.
struct UnknownReply : std::runtime_error {
    UnknownReply();
};

// What the local agent replies to a request: its result. Every text in it is
// printable(). Throws NoAgent, Denied (it has to be in another state, or there is no such node),
// UnknownReply or std::runtime_error; reading what the result does not have throws
// Json::exception.
Json ask_agent(const std::string &run_dir, const Json &question,
               std::chrono::milliseconds patience = std::chrono::seconds(2));

// The same of a reply's text.
Json result_of(std::string_view text);

struct NodeCommand {
    std::string name;
    Commands::Arguments args;
    std::string node; // name, id or "all"; empty: the local one
};

// What each of the nodes replies, {"id", "name", "ok", and "result", or "code" and "error"}. Throws as ask_agent.
Json ask_nodes(const std::string &run_dir, const NodeCommand &command);

// {"command": NAME, "nodes": [{"id", "name", "code": "done", "refused", "failed" or "no_answer",
// "error": text or null}]}: what --json prints; "result" of a reload that is done. Throws as ask_agent.
Json give(const std::string &run_dir, const NodeCommand &command);

// Of what give() returned: 0 when all have done it, 4 when some refused and the others have done
// it, otherwise 1; and a line for each node that has not.
ExitCode exit_code(const Json &given);
std::vector<std::string> complaints(const Json &given, const NodeCommand &command);

// Shows the connections left on these nodes whenever they change, until all nodes have drained. Throws
// when a node no longer drains, or does not answer.
void wait_for_drain(const std::string &run_dir, const std::string &node, std::ostream &out);

} // namespace agent
