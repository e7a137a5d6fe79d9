// SPDX-License-Identifier: Apache-2.0
//
// Metrics and the status page over HTTP/1.1, at one address, for every client that reaches it: read-only and
// unauthenticated.
//
// The server has a thread of its own, of ordinary priority: the agent's loop has real-time
// priority, and strangers' requests in it could take a processor away
// from the services behind. The loop makes a document when it is asked (mailbox.hpp), at most
// once in 200 ms for each, however many ask the server. While the loop does not answer, the server
// says 503: nothing old is ever shown as new.
//
// At most 32 connections (callers.hpp), each for 10 s without a request; requests have no body.
#pragma once

#include "agent/base/endpoint.hpp"
#include "agent/base/poll.hpp"
#include "agent/web/documents.hpp"
#include "filter/descriptor.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

struct sockaddr;

namespace agent {

class WebServer {
  public:
    // Serves from now on. names: under which it may be asked, beside "localhost" and addresses (hosts.hpp). Throws
    // "listen on ADDRESS: cause".
    explicit WebServer(const Endpoint &listen, std::vector<std::string> names = {});
    ~WebServer();
    WebServer(const WebServer &) = delete;
    WebServer &operator=(const WebServer &) = delete;

    void wait(Poll &poll) const { poll.read(descriptor()); }
    int descriptor() const; // readable: a request for a document waits
    // Call on every turn. make: metrics, status or events, as they are now; it may throw.
    void answer(const std::function<std::string(Document)> &make);

  private:
    struct Server;
    std::unique_ptr<Server> server_;
};

// The socket on which the web server listens, and whom those that connect are counted under.
// [::] is all addresses of both families. Throws "listen on ADDRESS: cause".
filter::Descriptor listen_for_web(const Endpoint &endpoint);

// The bytes of an IPv4 address, or of an IPv6 address's /64.
std::string network_of(const sockaddr *address);

} // namespace agent
