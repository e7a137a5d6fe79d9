// SPDX-License-Identifier: Apache-2.0
#include "agent/monitor/duties.hpp"

#include "agent/base/poll.hpp"
#include "agent/config/trust.hpp"
#include "agent/host/privileges.hpp"
#include "agent/host/user.hpp"
#include "agent/monitor/command.hpp"
#include "agent/monitor/message.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>

namespace agent {
namespace {

using filter::Descriptor;

constexpr std::size_t kMostAtOnce = 256; // commands; a rule has one, and one more that hangs in the kernel
constexpr std::size_t kMostFiles = 8;    // the agent asks for one at a time

struct Known { // a command of the configuration file's
    std::string rule, user;
    std::vector<std::string> command;
    std::optional<User> account; // once it was found: the user database may hang later, and with it every check
    bool is(const Order &order) const {
        return order.rule == rule && order.user == user && order.command == command;
    }
};

class Duties {
  public:
    Duties(Descriptor orders, Descriptor files, const Config &config, uid_t agents_user)
        : orders_(std::move(orders)), files_(std::move(files)), file_(config.file), agents_user_(agents_user),
          changes_user_(can_change_user()) {
        learn(config);
    }

    // Returns when the agent has ended.
    void run() {
        while (obey() && answer_for_files()) {
            tell_ends();
            Poll poll{heartbeat::Time{}};
            poll.read(orders_.get());
            poll.read(files_.get());
            for (const auto &[number, command] : running_)
                command->wait(poll);
            poll.sleep();
        }
    }

  private:
    bool obey();
    void begin(const Order &order);
    Known &find(const Order &order);
    User account_of(const std::string &name) const;
    void learn(const Config &config);
    void tell(const Ended &ended) { say(orders_.get(), to_text(ended), Wait::yes); }
    void tell_ends();
    bool answer_for_files();
    Opened open(const std::string &file) const;

    Descriptor orders_, files_;
    std::string file_; // the configuration
    uid_t agents_user_;
    bool changes_user_;
    std::vector<Known> known_;
    std::map<std::uint32_t, std::unique_ptr<Command>> running_;
    std::vector<pid_t> openers_;
};

bool Duties::obey() {
    while (const auto text = hear(orders_.get(), Wait::no)) {
        if (text->empty()) return false;
        const auto order = parse_order(*text);
        if (!order) continue;
        if (order->kind == Order::Kind::run)
            begin(*order);
        else if (const auto found = running_.find(order->number); found != running_.end())
            found->second->kill();
    }
    return true;
}

void Duties::begin(const Order &order) {
    try {
        if (running_.size() >= kMostAtOnce || running_.contains(order.number))
            throw std::runtime_error("too many commands run at once");
        Known &known = find(order);
        if (!known.account) known.account = account_of(known.user);
        running_[order.number] = std::make_unique<Command>(known.command, known.rule, *known.account);
    } catch (const std::exception &error) {
        tell({order.number, false, error.what()});
    }
}

// A reload has read a file that this process has not: it reads it as well. What former ones hold stays known, since one that was
// staged may never come into force.
Known &Duties::find(const Order &order) {
    const auto asked = [&](const Known &known) { return known.is(order); };
    auto found = std::ranges::find_if(known_, asked);
    if (found == known_.end()) {
        learn(load_trusted_config(file_, open_to_read));
        found = std::ranges::find_if(known_, asked);
    }
    if (found == known_.end())
        throw std::runtime_error(file_ + " no longer holds this command; try: nlbctl reload");
    return *found;
}

// The control socket would accept a command run by root or by the agent's own user, and such a command could trace the agent.
User Duties::account_of(const std::string &name) const {
    const std::string user = "user \"" + name + "\": ";
    const auto account = find_account(name);
    if (!account) throw std::runtime_error(user + "unknown");
    if (account->user == 0) throw std::runtime_error(user + "has all privileges");
    if (account->user == agents_user_) throw std::runtime_error(user + "is the agent's own; name another");
    if (!changes_user_)
        throw std::runtime_error(user + "nlbd may not change to it; give it CAP_SETUID and CAP_SETGID");
    return *account;
}

void Duties::learn(const Config &config) {
    for (const RuleConfig &rule : config.rules) {
        if (rule.health.type != HealthType::exec) continue;
        const Order order{Order::Kind::run, 0, rule.name, rule.health.user, rule.health.command};
        if (std::ranges::none_of(known_, [&](const Known &known) { return known.is(order); }))
            known_.push_back({order.rule, order.user, order.command, {}});
    }
}

void Duties::tell_ends() {
    std::erase_if(running_, [this](const auto &one) {
        const auto result = one.second->result();
        if (result) tell({one.first, result->succeeded, result->reason});
        return result.has_value();
    });
}

// In a child each: a disk that hangs holds up no command.
bool Duties::answer_for_files() {
    std::erase_if(openers_, [](pid_t child) { return waitpid(child, nullptr, WNOHANG) != 0; });
    while (const auto file = hear(files_.get(), Wait::no)) {
        if (file->empty()) return false;
        errno = EAGAIN;
        const pid_t child = openers_.size() < kMostFiles ? fork() : -1;
        if (child <= 0) say(files_.get(), child == 0 ? open(*file) : Opened{Descriptor(), errno});
        if (child == 0) _exit(0);
        if (child > 0) openers_.push_back(child);
    }
    return true;
}

Opened Duties::open(const std::string &file) const {
    try {
        if (file != file_ && file != load_trusted_config(file_, open_to_read).key_file)
            return {Descriptor(), EACCES};
    } catch (const std::exception &) { // the agent has just read it, and will see what is wrong now
        return {Descriptor(), EACCES};
    }
    Descriptor opened = open_to_read(file);
    const int cause = opened ? 0 : errno;
    return {std::move(opened), cause};
}

} // namespace

void do_duties(Descriptor orders, Descriptor files, const Config &config, uid_t agents_user) {
    prctl(PR_SET_NAME, "nlbd-monitor");
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGPIPE}) // the agent's business
        std::signal(signal, SIG_IGN);
    try {
        keep_only({CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_DAC_READ_SEARCH});
        Duties(std::move(orders), std::move(files), config, agents_user).run();
    } catch (const std::exception &) {
        _exit(1); // status tells that it has ended
    }
    _exit(0);
}

} // namespace agent
