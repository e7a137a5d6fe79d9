// SPDX-License-Identifier: Apache-2.0
//
// The status page: status_page.html, one file with its style and script in it, compiled into the
// agent. It asks only this agent, for /status.json and /events.json, which
// its Content-Security-Policy also enforces: style and script are allowed by their hashes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace agent {

std::string_view status_page();
std::string content_security_policy(); // a header's value

// What may be asked of the web server: four documents, with GET or HEAD and without a body.
// No document changes anything, and none needs authentication.
//
//     /              the status page
//     /metrics       for Prometheus
//     /status.json   what `nlbctl --json status` prints
//     /events.json   what `nlbctl --json events` prints
enum class Document : char { page, metrics, status, events };
std::string_view media_type(Document document);

struct Route {
    unsigned code;                    // HTTP status
    std::optional<Document> document; // with 200
};

struct Request {
    std::string_view method, path; // without the query, escapes as they are
    bool has_body = false;         // the request brings one
    bool host_known = true;        // it asks for this server by one of its names (hosts.hpp)
};

Route route(const Request &request);

} // namespace agent
