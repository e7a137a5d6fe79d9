// SPDX-License-Identifier: Apache-2.0
//
// What may be asked of the web server: four documents, with GET or HEAD and without a body.
// Nothing there changes anything, and nothing asks who is asking.
//
//     /              the status page
//     /metrics       for Prometheus
//     /status.json   what `nlbctl --json status` prints
//     /events.json   what `nlbctl --json events` prints
#pragma once

#include <optional>
#include <string_view>

namespace agent {

enum class Document : char { page, metrics, status, events };
std::string_view media_type(Document document);

struct Route {
    unsigned code;                    // HTTP status
    std::optional<Document> document; // with 200
};

// path: without the query, escapes as they are. has_body: the request brings one.
Route route(std::string_view method, std::string_view path, bool has_body);

} // namespace agent
