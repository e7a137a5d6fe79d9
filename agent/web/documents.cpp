// SPDX-License-Identifier: Apache-2.0
// Hashes as in https://www.w3.org/TR/CSP3/#match-element-to-source-list: SHA-256 of the text between
// the tags, in base64.
#include "agent/web/documents.hpp"

#include <sodium.h>

#include <array>

namespace agent {
namespace {

constexpr std::string_view kPage =
#include "agent/web/status_page.html.inc"
    ;

std::string hash_of(std::string_view element) {
    const std::string open = "<" + std::string(element) + ">", close = "</" + open.substr(1);
    const std::size_t begin = kPage.find(open) + open.size();
    const std::string_view content = kPage.substr(begin, kPage.find(close, begin) - begin);
    std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
    crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char *>(content.data()),
                       content.size());
    std::array<char, sodium_base64_ENCODED_LEN(hash.size(), sodium_base64_VARIANT_ORIGINAL)> text{};
    sodium_bin2base64(text.data(), text.size(), hash.data(), hash.size(),
                      sodium_base64_VARIANT_ORIGINAL);
    return "'sha256-" + std::string(text.data()) + "'";
}

constexpr struct {
    std::string_view path, media_type;
} kDocuments[] = {{"/", "text/html; charset=utf-8"},
                  {"/metrics", "text/plain; version=0.0.4; charset=utf-8"},
                  {"/status.json", "application/json"},
                  {"/events.json", "application/json"}};

} // namespace

std::string_view status_page() { return kPage; }

std::string content_security_policy() {
    return "default-src 'none'; connect-src 'self'; img-src data:; script-src " +
           hash_of("script") + "; style-src " + hash_of("style") +
           "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
}

std::string_view media_type(Document document) {
    return kDocuments[static_cast<std::size_t>(document)].media_type;
}

Route route(const Request &request) {
    if (!request.host_known) return {421, {}};
    for (std::size_t i = 0; i < std::size(kDocuments); ++i) {
        if (request.path != kDocuments[i].path) continue;
        if (request.method != "GET" && request.method != "HEAD") return {405, {}};
        if (request.has_body) return {413, {}};
        return {200, static_cast<Document>(i)};
    }
    return {404, {}};
}

} // namespace agent
