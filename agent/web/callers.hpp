// SPDX-License-Identifier: Apache-2.0
//
// Who is connected to the web server, and who has to go when it is one too many. Anybody may
// connect, and some do nothing then. Whoever would wait for these to give up could be kept out by
// them for good; so the new one comes in, and the longest idle one of the address that holds the
// most connections goes. One address alone cannot keep others out, whatever it does.
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
    // Who has to go, once for each; null: there is room.
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
