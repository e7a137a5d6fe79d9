// SPDX-License-Identifier: Apache-2.0
//
// The connections to the web server, and which of them to close when there is one too many. Any client may
// connect and then do nothing. Waiting for idle clients to time out would let them lock out all others. So a
// newcomer is always accepted, and the longest-idle connection of the address with the most connections
// is closed. One address alone cannot lock others out, whatever it does.
#pragma once

#include <cstdint>
#include <list>
#include <string>

namespace agent {

struct WebCaller {
    std::string address; // of the host, or of its IPv6 network
    int socket = -1;
    std::uint64_t touched = 0; // a number that grows: came, or was answered
    bool answered = false, pushed_out = false;
};

class WebCallers {
  public:
    static constexpr std::size_t kMost = 32;

    WebCaller *opened(std::string address, int socket); // valid until gone()
    void answered(WebCaller &caller);
    void closed(WebCaller *caller);
    // The connection to close, each returned once; null: there is room.
    WebCaller *evict();

    // Connections that have ended, by what became of them.
    struct Ended {
        std::uint64_t answered = 0;
        std::uint64_t silent = 0; // never asked anything that made sense
        std::uint64_t pushed_out = 0;
    };
    const Ended &ended() const { return ended_; }
    std::size_t open() const { return callers_.size(); }

  private:
    std::list<WebCaller> callers_;
    std::uint64_t now_ = 0;
    Ended ended_;
};

} // namespace agent
