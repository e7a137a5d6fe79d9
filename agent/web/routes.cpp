// SPDX-License-Identifier: Apache-2.0
#include "agent/web/routes.hpp"

namespace agent {
namespace {

constexpr struct {
    std::string_view path, media_type;
} kDocuments[] = {{"/", "text/html; charset=utf-8"},
                  {"/metrics", "text/plain; version=0.0.4; charset=utf-8"},
                  {"/status.json", "application/json"},
                  {"/events.json", "application/json"}};

} // namespace

std::string_view media_type(Document document) {
    return kDocuments[static_cast<std::size_t>(document)].media_type;
}

Route route(std::string_view method, std::string_view path, bool has_body) {
    for (std::size_t i = 0; i < std::size(kDocuments); ++i) {
        if (path != kDocuments[i].path) continue;
        if (method != "GET" && method != "HEAD") return {405, {}};
        if (has_body) return {413, {}};
        return {200, static_cast<Document>(i)};
    }
    return {404, {}};
}

} // namespace agent
