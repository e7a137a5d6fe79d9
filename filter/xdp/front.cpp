// SPDX-License-Identifier: Apache-2.0
#include "filter/xdp/front.hpp"

#include "filter/bpf/kernel.hpp"
#include "filter/failure.hpp"

#include <bpf/libbpf.h>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "filter/xdp/forward.skel.h"

namespace filter::xdp {

namespace {

// A tag that the driver has taken off lies beside the frame, where XDP does not see it: sent on, the frame would
// be in another VLAN.
void require_tags_in_frames(const Interface &interface) {
    if (takes_tags_off(interface.name))
        throw std::runtime_error("attach xdp to " + interface.name +
                                 ": the driver takes VLAN tags off, so that a frame sent on by XDP would lose its own; `ethtool -K " +
                                 interface.name + " rxvlan off`");
}

} // namespace

void Front::Destroy::operator()(forward_bpf *loaded) const { forward_bpf::destroy(loaded); }

std::unique_ptr<forward_bpf, Front::Destroy> Front::load(const Interface &interface, const bpf::Programs &programs) {
    require_tags_in_frames(interface);
    std::unique_ptr<forward_bpf, Destroy> opened(forward_bpf::open());
    if (!opened) bpf::fail_to_open(errno);
    const auto &maps = opened->maps;
    for (const auto &[map, theirs] :
         {std::pair(maps.bss, programs.state_map()), std::pair(maps.counters, programs.counters()),
          std::pair(maps.alarm, programs.alarm()), std::pair(maps.refused, programs.refused()),
          std::pair(maps.shown, programs.shown()), std::pair(maps.shown_counts, programs.shown_counts()),
          std::pair(maps.numbers, programs.numbers()), std::pair(maps.paths, programs.paths()),
          std::pair(maps.sent, programs.sent())})
        if (const int error = bpf_map__reuse_fd(map, theirs); error != 0) fail("share the tables of the BPF programs", -error);
    if (const int error = forward_bpf::load(opened.get()); error != 0) bpf::fail_to_load(-error);
    bpf::require_maps(bpf_program__fd(opened->progs.nlbd_forward),
                      {programs.state_map(), programs.counters(), programs.numbers(), programs.paths(), programs.sent()});
    return opened;
}

Front::Front(const Interface &interface, const bpf::Programs &programs, Descriptor pinned)
    : interface_(interface), loaded_(load(interface, programs)),
      link_(interface, XdpMode::native, program(), std::move(pinned), nullptr) {}

int Front::program() const { return bpf_program__fd(loaded_->progs.nlbd_forward); }

std::function<bool()> Front::is_in_place() const {
    return [interface = interface_, id = bpf::program_id(program())] {
        return attached_mode(interface.index, id) == Mode::native && !takes_tags_off(interface.name);
    };
}

void Front::attach_again() {
    link_.detach();
    require_tags_in_frames(interface_);
    link_.attach_again();
}

} // namespace filter::xdp
