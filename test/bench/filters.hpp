// SPDX-License-Identifier: Apache-2.0
// What can keep foreign packets from a host: nlbd, and what one could use instead, each set up as
// its documentation says.
#pragma once

#include "filter/datapath.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace bench {

// A cluster of so many equal nodes and with so many rules, as one of them sees it. TCP and UDP
// port 80 is in the last rule. own: how many of the nodes' shares are this one's.
struct Size {
    unsigned rules = 1, nodes = 2, own = 1;
};
filter::Settings settings(const Size &size);
filter::Tables tables(const Size &size);
bool is_foreign(const Size &size, const filter::IpAddress &source);

// On as long as it lives.
using Installed = std::shared_ptr<void>;

// Nothing but drop, natively.
Installed drop_everything(int program, const char *interface);

// A node that judges in user space; likewise.
std::unique_ptr<filter::Datapath> attach_pcap(const Size &size);

struct Contender {
    std::string name;
    std::function<Installed(const Size &)> install;
};

// The first is the yardstick: `drop_program` alone.
std::vector<Contender> contenders(int drop_program);

} // namespace bench
