// SPDX-License-Identifier: Apache-2.0
//
// What nlbctl reads of an agent that may have been taken over: a reply is shown in every way that a command
// shows one, or refused. Whatever is shown is only text, and nothing is read that is not there.
//
//     [how it is shown] [reply]
#include "target.hpp"

#include "agent/control/replies.hpp"
#include "agent/nlbctl/nodes.hpp"
#include "agent/nlbctl/packet_owners.hpp"
#include "agent/nlbctl/render.hpp"
#include "agent/nlbctl/watch_page.hpp"
#include "agent/nlbctl/words.hpp"

#include <chrono>

namespace {

using namespace agent;

// Lines that nlbctl itself has begun, and nothing else that a terminal acts on.
void check_text(const std::string &text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        fuzz::expect((c >= ' ' && c != 0x7f) || c == '\n', "no control character");
        const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
        fuzz::expect(c != 0xc2 || next >= 0xa0, "no control character above ASCII");
    }
}

std::string page_text(const Json &before, const Json &now) {
    const auto begun = std::chrono::steady_clock::time_point();
    const Watched watched{Sample{before, begun}, Sample{now, begun + std::chrono::seconds(1)}, ""};
    const Page page = watch_page(watched);
    std::string text;
    for (const Cell &cell : page.title)
        text += cell.text;
    for (const Line &line : page.body)
        for (const Cell &cell : line)
            text += cell.text;
    return text;
}

std::string nodes_text(const Json &given) {
    const NodeCommand command{"stop", {}, "all"};
    std::string text;
    if (exit_code(given) != kDone)
        for (const std::string &line : complaints(given, command))
            text += error_line("nlbctl", line, "");
    return text;
}

std::string owners_text(const Json &source) {
    PacketOwners owners;
    owners.update(source);
    std::string text;
    for (const int rule : {-1, 0, 1, 31, 32})
        for (const int bucket : {-1, 0, 65535, 65536})
            text += verdict_text({"foreign", true, rule, bucket}, owners);
    return text;
}

std::string shown(unsigned how, const Json &told) {
    switch (how % 10) {
    case 0:
        return render_status(told, false);
    case 1:
        return render_members(told, false);
    case 2:
        return render_rules(told, false);
    case 3:
        return render_counters(told, false);
    case 4:
        return render_events(told, false);
    case 5:
        return render_explanation(told);
    case 6:
        return page_text(told, told);
    case 7:
        return nodes_text(told);
    case 8:
        return owners_text(told);
    default:
        return waiting_text(told);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    fuzz::Input input(data, size);
    const unsigned how = input.byte();
    const auto bytes = input.rest();
    const std::string text(bytes.begin(), bytes.end());
    const Json relayed = read_reply(text);
    fuzz::expect(relayed.size() == (relayed.at("ok") ? 2u : 3u), "known keys alone");
    try {
        check_text(shown(how, result_of(text)));
    } catch (const std::exception &) { // said in one line
    }
    return 0;
}
