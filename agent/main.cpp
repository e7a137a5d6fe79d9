// SPDX-License-Identifier: Apache-2.0
// nlbd: see nlbd.cpp.
#include "agent/nlbd.hpp"

#include <iostream>

int main(int argc, char **argv) {
    return agent::run_nlbd({argv + 1, argv + argc}, std::cout, std::cerr);
}
