// SPDX-License-Identifier: Apache-2.0
//
// `nlbctl explain` for thousands of flows: the command itself, called once a line. Prints each
// answer as one line of JSON.
//
//     nlb_explain RUN_DIR        with lines "PROTOCOL SRC:PORT VIP:PORT" on standard input
#include "agent/nlbctl/nlbctl.hpp"

#include <nlohmann/json.hpp>

#include <iostream>
#include <sstream>

int main(int count, char **arguments) {
    if (count != 2) {
        std::cerr << "usage: nlb_explain RUN_DIR < FLOWS\n";
        return 2;
    }
    for (std::string protocol, from, to; std::cin >> protocol >> from >> to;) {
        std::ostringstream answer;
        const int code =
            agent::run_nlbctl({"--run-dir", arguments[1], "--json", "explain", protocol, from, to},
                              answer, std::cerr, false);
        if (code != 0) return code;
        std::cout << nlohmann::json::parse(answer.str()).dump() << '\n';
    }
}
