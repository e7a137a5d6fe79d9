// SPDX-License-Identifier: Apache-2.0
#include "agent/parts.hpp"

#include "agent/orders/settings.hpp"

#include <stdexcept>

namespace agent {
namespace {

// The new one is in its place before what a killed agent has left of the other kind goes: in between
// the host would see everything.
std::unique_ptr<filter::Datapath> xdp(const std::string &interface, filter::XdpMode mode,
                                      RunDir &run_dir, const filter::Settings &settings,
                                      std::vector<filter::StepDown> &steps_down) {
    run_dir.mount_bpf();
    auto datapath = filter::attach_xdp(interface, mode, run_dir.bpf(), settings, &steps_down);
    filter::remove_pcap(interface, run_dir.tables());
    return datapath;
}

std::unique_ptr<filter::Datapath> pcap(const std::string &interface, RunDir &run_dir,
                                       const filter::Settings &settings) {
    run_dir.mount_tables();
    auto datapath = filter::attach_pcap(interface, run_dir.tables(), settings);
    filter::remove_xdp(interface, run_dir.bpf());
    return datapath;
}

std::string price(const filter::Datapath &datapath) {
    if (datapath.kind() == "pcap")
        return "packets are filtered by pcap instead of XDP, which carries a third of the requests";
    return "packets are filtered by generic XDP instead of native, which carries half of the packets";
}

} // namespace

std::unique_ptr<filter::Datapath> attach_datapath(const Config &config, const NodeConfig &self,
                                                  RunDir &run_dir,
                                                  const filter::Settings &settings,
                                                  std::vector<filter::StepDown> &steps_down) {
    const std::string interface = clients_interface(config, self);
    const DatapathKind kind = self.datapath.value_or(config.datapath);
    if (kind == DatapathKind::pcap) return pcap(interface, run_dir, settings);
    std::string why;
    try {
        return xdp(interface, xdp_mode(config, self), run_dir, settings, steps_down);
    } catch (const filter::Occupied &) {
        throw;
    } catch (const std::runtime_error &error) {
        if (kind != DatapathKind::automatic) throw;
        why = error.what();
    }
    steps_down.push_back({"xdp: " + why});
    try {
        return pcap(interface, run_dir, settings);
    } catch (const std::runtime_error &error) {
        if (why == error.what()) throw;
        throw std::runtime_error(why + "; and instead of it: " + error.what());
    }
}

void set_stepped_down(Problems &problems, const filter::Datapath &datapath,
                      const std::vector<filter::StepDown> &steps_down) {
    for (const filter::StepDown &step : steps_down)
        if (!step.lacking)
            problems.set(ProblemKind::datapath_stepped_down, price(datapath) + " (" + step.why + ")");
}

} // namespace agent
