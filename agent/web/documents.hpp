// SPDX-License-Identifier: Apache-2.0
//
// The status page: status_page.html, one file with its style and script in it, compiled into the
// agent. It asks this agent for /status.json and /events.json and nobody for anything else, which
// its Content-Security-Policy also says: style and script are allowed by their hashes.
#pragma once

#include <string>
#include <string_view>

namespace agent {

std::string_view status_page();
std::string content_security_policy(); // a header's value

} // namespace agent
