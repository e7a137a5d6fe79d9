// SPDX-License-Identifier: Apache-2.0
//
// Every input of a corpus once through its target, whatever compiler built it: what a fuzzer found
// in its hour stays found. `fuzz_TARGET CORPUS.txt|INPUT...`; a corpus has an input a line, as
// corpus.py writes them, and any other file is one input.
#include "target.hpp"

#include <csignal>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace {

using Bytes = std::vector<std::uint8_t>;

std::string running; // the input that is to blame when the process ends here

void blame(int) {
    std::cerr << "input: " << running << std::endl;
    std::_Exit(1);
}

void run(const std::string &name, const Bytes &input) {
    running = name;
    const Bytes exact(input); // of its size alone, so that a sanitizer sees a read behind the end
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

std::uint8_t hexadecimal(std::string_view digits) {
    return static_cast<std::uint8_t>(std::stoul(std::string(digits), nullptr, 16));
}

Bytes from_digits(std::string_view text) {
    Bytes bytes;
    for (std::size_t at = 0; at < text.size(); at += 2)
        bytes.push_back(hexadecimal(text.substr(at, 2)));
    return bytes;
}

Bytes from_text(std::string_view text) {
    Bytes bytes;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\\') {
            bytes.push_back(static_cast<std::uint8_t>(text[at]));
        } else if (const char mark = text.at(++at); mark == 'x') {
            bytes.push_back(hexadecimal(text.substr(at + 1, 2)));
            at += 2;
        } else {
            bytes.push_back(mark == 'n' ? '\n' : static_cast<std::uint8_t>(mark));
        }
    }
    return bytes;
}

std::size_t replay_corpus(const std::string &file) {
    std::ifstream lines(file);
    if (!lines) throw std::runtime_error(file + ": cannot be read");
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        const std::size_t end = line.find(' ');
        if (end == std::string::npos) throw std::runtime_error(file + ": no input: " + line);
        const std::string_view rest = std::string_view(line).substr(end + 1);
        run(line.substr(0, end), rest.starts_with('"') ? from_text(rest.substr(1, rest.size() - 2))
                                                       : from_digits(rest));
    }
    return count;
}

std::size_t replay_input(const std::string &file) {
    std::ifstream input(file, std::ios::binary);
    run(file, Bytes{std::istreambuf_iterator<char>(input), {}});
    return 1;
}

} // namespace

int main(int argc, char **argv) {
    std::signal(SIGABRT, blame);
    std::size_t count = 0;
    try {
        for (int i = 1; i < argc; ++i) {
            const std::string file = argv[i];
            count += file.ends_with(".txt") ? replay_corpus(file) : replay_input(file);
        }
    } catch (const std::exception &error) {
        std::cerr << running << ": " << error.what() << "\n";
        return 1;
    }
    std::cout << count << " inputs\n";
    return count > 0 ? 0 : 1;
}
