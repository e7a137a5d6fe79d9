// SPDX-License-Identifier: Apache-2.0
#include "filter/bpf/programs.hpp"

#include "filter/failure.hpp"
#include "filter/state_datapath.hpp"
#include "filter/tables.hpp"

#include <algorithm>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace filter::bpf {

namespace {

bool is_counters(const Descriptor &map) {
    if (!map) return false;
    const bpf_map_info info = about_map(map.get());
    return info.type == BPF_MAP_TYPE_PERCPU_ARRAY && info.value_size == sizeof(nlb_counters);
}

} // namespace

void fail_to_load(int error) {
    const std::string what = "load the BPF programs";
    if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
        fail(what, error,
             "this kernel describes no types (/sys/kernel/btf/vmlinux): it needs "
             "CONFIG_DEBUG_INFO_BTF");
    if (error == EACCES || error == EINVAL || error == E2BIG)
        fail(what, error, "this kernel refuses them: report it with `uname -r`");
    fail(what, error,
         error == EPERM ? "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN" : "");
}

void require_maps(int program, const std::vector<int> &maps) {
    for (const int map : maps)
        if (!std::ranges::count(map_ids(program), about_map(map).id))
            throw std::runtime_error("load the BPF programs: the kernel gave them other tables "
                                     "than the agent writes: report it, with libbpf's version");
}

MappedState::MappedState(int map, std::size_t size, int protection) : size_(size) {
    void *memory = mmap(nullptr, size_, protection, MAP_SHARED, map, 0);
    if (memory != MAP_FAILED) state_ = static_cast<nlb_state *>(memory);
}

MappedState::~MappedState() {
    if (state_) munmap(state_, size_);
}

Found::Found(const Descriptor &map) {
    if (!map) return;
    size_ = about_map(map.get()).value_size;
    if (size_ < offsetof(nlb_state, active_owners)) return;
    memory_.emplace(map.get(), size_, PROT_READ);
    state_ = memory_->get();
}

bool Found::fits(const Interface &interface, const nlb_config &config) const {
    return belongs_to(interface) && size_ == sizeof(nlb_state) && state_->layout == NLB_LAYOUT &&
           state_->size == sizeof(nlb_state) && same(active_config(*state_), config);
}

void fail_to_open(int error) { fail("open the BPF programs", error); }

Programs::Programs(Object object, const Settings &settings, const Interface &interface,
                   const Pins &pins)
    : object_(std::move(object)) {
    auto config = std::make_unique<nlb_config>();
    write_config(settings, *config);
    choose_delivery(settings.forward);
    if (Found(pins.open("state")).fits(interface, *config)) adopt(pins);
    if (int error = bpf_object__load_skeleton(object_.skeleton); error != 0) fail_to_load(-error);
    require_these_maps();
    memory_.emplace(state_map(), sizeof(nlb_state), PROT_READ | PROT_WRITE);
    if (!memory_->get()) fail("map the tables of the BPF programs", errno);
    nlb_state &state = this->state();
    state.own_mac = mac_word(interface.mac);
    if (adopted_) return;
    state.layout = NLB_LAYOUT;
    state.size = sizeof state;
    state.interface_index = static_cast<__u32>(interface.index);
    state.config[0] = *config;
}

int Programs::state_map() const { return bpf_map__fd(object_.state); }
int Programs::counters() const { return bpf_map__fd(object_.counters); }
int Programs::alarm() const { return bpf_map__fd(object_.alarm); }
int Programs::refused() const { return bpf_map__fd(object_.refused); }
int Programs::neighbours() const { return bpf_map__fd(object_.neighbours); }
int Programs::shown() const { return bpf_map__fd(object_.shown); }
int Programs::shown_counts() const { return bpf_map__fd(object_.shown_counts); }
int Programs::numbers() const { return bpf_map__fd(object_.numbers); }
int Programs::paths() const { return bpf_map__fd(object_.paths); }
int Programs::sent() const { return bpf_map__fd(object_.sent); }
int Programs::judge() const { return bpf_program__fd(object_.judge); }
int Programs::counting(std::size_t number) const {
    return bpf_program__fd(object_.counting.at(number));
}

// Without forwarding the verifier takes the code for it out, and the maps shrink to what costs nothing.
void Programs::choose_delivery(bool forward) {
    forwards_ = forward;
    if (!object_.forwards) {
        if (forward) throw std::logic_error("load the BPF programs: these send no packets on");
        return;
    }
    *const_cast<__u32 *>(object_.forwards) = forward;
    if (forward) return;
    for (bpf_map *map : {object_.numbers, object_.paths, object_.sent}) {
        bpf_map__set_max_entries(map, 1);
        bpf_map__set_value_size(map, sizeof(__u64));
    }
}

bool Programs::takes_over_forwarding(const Pins &pins) {
    const std::pair<bpf_map *, const char *> all[] = {
        {object_.numbers, kNumbersPin}, {object_.paths, kPathsPin}, {object_.sent, kSentPin}};
    for (const auto &[map, name] : all) {
        const Descriptor found = pins.open(name);
        if (!found || about_map(found.get()).value_size != bpf_map__value_size(map)) return false;
        if (int error = bpf_map__reuse_fd(map, found.get()); error != 0)
            fail("take over the paths of an agent that was killed", -error);
    }
    return true;
}

// Both or none: with the tables alone it would start anew in those that are in effect.
void Programs::adopt(const Pins &pins) {
    const Descriptor found = pins.open("state"), sums = pins.open("counters");
    if (!is_counters(sums) || (forwards_ && !takes_over_forwarding(pins))) return;
    for (const auto &[map, fd] :
         {std::pair(object_.state, found.get()), std::pair(object_.counters, sums.get())})
        if (int error = bpf_map__reuse_fd(map, fd); error != 0)
            fail("take over the tables of an agent that was killed", -error);
    adopted_ = true;
}

// What the kernel says that each program looks into is what this process writes and reads.
void Programs::require_these_maps() const {
    if (about_map(state_map()).value_size != sizeof(nlb_state))
        throw std::runtime_error("load the BPF programs: their tables have another size than "
                                 "the agent's: build both anew");
    require_maps(judge(), {state_map()});
    for (std::size_t i = 0; i < object_.counting.size(); i++)
        require_maps(counting(i), {state_map(), counters()});
}

} // namespace filter::bpf
