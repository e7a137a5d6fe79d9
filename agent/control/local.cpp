// SPDX-License-Identifier: Apache-2.0
#include "agent/control/local.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/failure.hpp"
#include "agent/control/longest.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace agent {
namespace {

constexpr int kClientsATurn = 8; // beats come first
constexpr heartbeat::Duration kPause = std::chrono::milliseconds(100);

filter::Descriptor spare_descriptor() {
    return filter::Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

sockaddr_un address_of(const std::string &path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

// From its first moment the socket is root's alone.
filter::Descriptor listen_at(const std::string &path) {
    const sockaddr_un address = address_of(path);
    filter::Descriptor made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    unlink(path.c_str()); // a killed predecessor's
    const mode_t before = umask(0177);
    const bool bound =
        made &&
        bind(made.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0 &&
        listen(made.get(), 128) == 0;
    const int cause = errno;
    umask(before);
    if (!bound) fail("bind " + path, cause);
    return made;
}

bool would_wait() { return errno == EAGAIN || errno == EINTR; }

} // namespace

std::string control_path(const std::string &run_dir) {
    std::string path = run_dir + "/control";
    constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
    if (path.size() > kLongest)
        throw std::runtime_error("use run dir " + run_dir +
                                 ": the path of its control socket would be longer "
                                 "than " +
                                 std::to_string(kLongest) + " bytes; choose a shorter --run-dir");
    return path;
}

Control::Control(const std::string &run_dir)
    : path_(control_path(run_dir)), listener_(listen_at(path_)), spare_(spare_descriptor()) {}

Control::~Control() { unlink(path_.c_str()); }

void Control::wait(Poll &poll) const {
    if (clients_.size() < kMostClients && boot_now() >= accept_at_) poll.read(listener_.get());
    for (const Client &client : clients_) {
        if (!client.reply) poll.read(client.socket.get());
        if (client.replied) poll.write(client.socket.get());
    } // one whose command takes its time would only say again and again that it has vanished
}

void Control::serve(Commands &commands) {
    accept_some();
    for (Client &client : clients_)
        attend(client, commands);
    std::erase_if(clients_, [](const Client &client) { return client.done; });
    if (!spare_) spare_ = spare_descriptor();
}

void Control::accept_some() {
    const heartbeat::Time now = boot_now();
    if (now < accept_at_) return;
    for (int taken = 0; taken < kClientsATurn && clients_.size() < kMostClients; ++taken) {
        Client client;
        client.socket = filter::Descriptor(accept_one());
        if (!client.socket) {
            if (!would_wait()) accept_at_ = now + kPause;
            return;
        }
        client.until = now + kPatience;
        clients_.push_back(std::move(client));
    }
}

// -1: no connection is waiting, or none can be accepted now.
int Control::accept_one() {
    const auto accepted = [this] {
        return accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    };
    const int fd = accepted();
    if (fd >= 0 || !spare_ || (errno != EMFILE && errno != ENFILE)) return fd;
    spare_ = filter::Descriptor();
    return accepted();
}

void Control::attend(Client &client, Commands &commands) {
    if (!client.reply) read(client, commands);
    if (client.reply && !client.replied)
        if (auto reply = client.reply()) {
            client.left = std::move(*reply);
            client.replied = true;
            client.until = boot_now() + kPatience;
        }
    if (client.replied) send(client);
    const bool working = client.reply && !client.replied;
    if (!working && boot_now() >= client.until) client.done = true;
}

// A request that is too long is begun as it is: it gets its answer, which says so.
void Control::read(Client &client, Commands &commands) {
    std::array<char, 4096> buffer;
    for (;;) {
        const ssize_t size = recv(client.socket.get(), buffer.data(), buffer.size(), 0);
        if (size < 0) {
            client.done = !would_wait();
            return;
        }
        client.request.append(buffer.data(), static_cast<std::size_t>(size));
        if (size > 0 && client.request.size() <= kLongestWithFile) continue;
        client.done = client.request.empty(); // has only tested whether an agent listens
        if (!client.done) client.reply = commands.begin(client.request);
        return;
    }
}

void Control::send(Client &client) {
    while (!client.left.empty()) {
        const ssize_t size =
            ::send(client.socket.get(), client.left.data(), client.left.size(), MSG_NOSIGNAL);
        if (size < 0) {
            client.done = !would_wait();
            return;
        }
        client.left.erase(0, static_cast<std::size_t>(size));
    }
    client.done = true;
}

} // namespace agent
