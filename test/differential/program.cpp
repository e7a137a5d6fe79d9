// SPDX-License-Identifier: Apache-2.0
#include "program.hpp"

#include <algorithm>
#include <bpf/bpf.h>
#include <stdexcept>
#include <sys/mman.h>

namespace differential {

Program::Program(std::uint32_t id)
    : program_(bpf_prog_get_fd_by_id(id)), state_(nullptr), out_(70000) {
    const filter::Descriptor map(bpf_obj_get((Host::pin_dir("node") + "/state").c_str()));
    void *memory = mmap(nullptr, sizeof(nlb_state), PROT_READ | PROT_WRITE, MAP_SHARED, map.get(), 0);
    if (!program_ || memory == MAP_FAILED) throw std::runtime_error("open the attached program");
    state_ = static_cast<nlb_state *>(memory);
}

Program::~Program() { munmap(state_, sizeof(nlb_state)); }

Run Program::run(const Frame &frame) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = out_.data(),
                .data_size_in = static_cast<__u32>(frame.size()),
                .data_size_out = static_cast<__u32>(out_.size()), .repeat = 1);
    if (bpf_prog_test_run_opts(program_.get(), &options) != 0)
        throw std::runtime_error("run the attached program");
    return {options.retval, Frame(out_.begin(), out_.begin() + options.data_size_out), 0};
}

void Program::forget_fragments() {
    std::fill(std::begin(state_->marks), std::end(state_->marks), 0);
}

} // namespace differential
