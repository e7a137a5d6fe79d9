// SPDX-License-Identifier: Apache-2.0
//
// One of our BPF objects, loaded with its tables: those of a predecessor, if they say what this
// process would write. XDP and tc have an object each, of the same tables, so that one goes on where
// the other has stopped.
#pragma once

#include "filter/bpf/kernel.hpp"
#include "filter/bpf/pins.hpp"
#include "filter/datapath.hpp"
#include "filter/interface.hpp"
#include "filter/verdict/layout.h"

#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

struct bpf_map;
struct bpf_object_skeleton;
struct bpf_program;

namespace filter::bpf {

// The memory of a map, by the descriptor that the programs were loaded with. A skeleton's is not
// used: libbpf from 1.5 gives other memory for a map that was taken over.
class MappedState {
  public:
    MappedState(int map, std::size_t size, int protection);
    MappedState(const MappedState &) = delete;
    ~MappedState();

    nlb_state *get() const { return state_; }

  private:
    std::size_t size_;
    nlb_state *state_ = nullptr;
};

// A predecessor's tables, read-only. Nothing when there are none, or none that this process can
// read.
class Found {
  public:
    explicit Found(const Descriptor &map);

    // The head of nlb_state never moves, so these two hold whatever the layout.
    bool belongs_to(const Interface &interface) const {
        return state_ && state_->interface_index == static_cast<__u32>(interface.index);
    }
    bool made_hook(const Interface &interface) const {
        return belongs_to(interface) && state_->made_clsact;
    }

    bool fits(const Interface &interface, const nlb_config &config) const;

  private:
    std::size_t size_ = 0;
    std::optional<MappedState> memory_;
    const nlb_state *state_ = nullptr;
};

// What the skeletons have in common, though each is a type of its own.
struct Object {
    std::shared_ptr<void> owner;
    bpf_object_skeleton *skeleton = nullptr;
    bpf_map *state = nullptr, *counters = nullptr, *alarm = nullptr, *refused = nullptr, *neighbours = nullptr;
    bpf_map *shown = nullptr, *shown_counts = nullptr;
    bpf_map *numbers = nullptr, *paths = nullptr, *sent = nullptr; // of those that send packets on
    const volatile __u32 *forwards = nullptr;                     // likewise, to be written before loading
    bpf_program *judge = nullptr;
    std::vector<bpf_program *> counting; // what sees packets
};

[[noreturn]] void fail_to_open(int error);
[[noreturn]] void fail_to_load(int error);
// Throws unless the kernel says that the program looks into each of these.
void require_maps(int program, const std::vector<int> &maps);

template <class Skeleton>
Object object_of(Skeleton *opened, std::vector<bpf_program *> (*counting)(const Skeleton &)) {
    if (!opened) fail_to_open(errno);
    const auto &maps = opened->maps;
    Object object{.owner = std::shared_ptr<void>(
                opened, [](void *skeleton) { Skeleton::destroy(static_cast<Skeleton *>(skeleton)); }),
            .skeleton = opened->skeleton,
            .state = maps.bss,
            .counters = maps.counters,
            .alarm = maps.alarm,
            .refused = maps.refused,
            .neighbours = maps.neighbours,
            .shown = maps.shown,
            .shown_counts = maps.shown_counts,
            .judge = opened->progs.nlbd_judge,
            .counting = counting(*opened)};
    if constexpr (requires { maps.paths; }) {
        object.numbers = maps.numbers;
        object.paths = maps.paths;
        object.sent = maps.sent;
        object.forwards = &opened->rodata->forwards;
    }
    return object;
}

class Programs {
  public:
    // Throws, with the way out.
    Programs(Object object, const Settings &settings, const Interface &interface, const Pins &pins);

    bool adopted() const { return adopted_; }
    nlb_state &state() const { return *memory_->get(); }
    int state_map() const;
    int counters() const;
    int alarm() const;
    int refused() const;
    int neighbours() const;
    int shown() const;
    int shown_counts() const;
    int numbers() const;
    int paths() const;
    int sent() const;
    bool forwards() const { return forwards_; }
    int judge() const;
    int counting(std::size_t number) const; // by the place in Object::counting

  private:
    void choose_delivery(bool forward);
    bool takes_over_forwarding(const Pins &pins);
    void adopt(const Pins &pins);
    void require_these_maps() const;

    Object object_;
    std::optional<MappedState> memory_;
    bool adopted_ = false, forwards_ = false;
};

} // namespace filter::bpf
