// SPDX-License-Identifier: Apache-2.0
// nlbctl: see nlbctl.cpp. Colour only for a terminal, and not when NO_COLOR forbids it (no-color.org).
#include "agent/nlbctl/nlbctl.hpp"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

int main(int argc, char **argv) {
    const char *no_colour = std::getenv("NO_COLOR");
    const bool colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
    return agent::run_nlbctl({argv + 1, argv + argc}, std::cout, std::cerr, colour);
}
