// SPDX-License-Identifier: Apache-2.0
// Words and numbers of a status as people read them, for every way to show one.
#pragma once

#include "agent/base/json.hpp"
#include "agent/nlbctl/table.hpp"

#include <string>

namespace agent {

std::string text_of(const Json &value, const std::string &unknown); // unknown: for null
// Of a rule: its state, or that its service does not work here.
std::string rule_state(const Json &rule);
// Why a member serves nothing, and the rules that are unhealthy there.
std::string member_reason(const Json &member);
// The words of text in lines of at most 80 columns, each ended: the first without its indent, which the caller
// has written, the others with it.
std::string wrapped(const std::string &text, std::size_t indent);
Colour colour_of_state(const std::string &state);
std::string percent(double part);
std::string bar(double part); // twenty columns for the whole, in eighths of a column
std::string ago(const Json &milliseconds);
std::string name_of(const Json &status, const Json &id); // of a member
std::string when(const Json &event); // local time of its ago_ms
// When and why the newest view came: "14:27:32: web3 added"; empty when the agent does not say.
std::string last_change(const Json &status);
std::string view_text(const Json &view, const std::string &state);
// Whether this counter says what went wrong: a drop, but not one of another node's packet.
bool is_other_drop(const std::string &counter);
// Of one that is in force: "in force", and what waits for a restart.
std::string in_force_text(const Json &reload);
// Of a configuration that is staged, with the missing nodes: "staged; waits for web2, web3".
std::string waiting_text(const Json &reload);

} // namespace agent
