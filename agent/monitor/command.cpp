// SPDX-License-Identifier: Apache-2.0
#include "agent/monitor/command.hpp"

#include "agent/base/failure.hpp"
#include "agent/base/printable.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

namespace agent {
namespace {

constexpr std::size_t kKept = 1024;      // bytes of output
constexpr std::size_t kShown = 200;      // of its last line
constexpr int kCannotExec = 127;         // as of a shell
constexpr int kCannotPrepare = 125;

std::vector<char *> pointers(std::vector<std::string> &words) {
    std::vector<char *> result;
    for (std::string &word : words)
        result.push_back(word.data());
    result.push_back(nullptr);
    return result;
}

// In the child.
bool give_up_privileges(const User &account) {
    if (setgroups(0, nullptr) != 0 ||
        setresgid(account.group, account.group, account.group) != 0 ||
        setresuid(account.user, account.user, account.user) != 0)
        return false;
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

[[noreturn]] void end(int code, const char *why) {
    [[maybe_unused]] const ssize_t told = write(1, why, std::strlen(why));
    _exit(code);
}

// In the child; does not return. The order matters: the monitor's descriptors are closed before another is opened, since there
// may be no free one; the parent's death is asked for after the change of user, which forgets it.
[[noreturn]] void become(char *const *command, char *const *environment, const User &account, int output,
                         pid_t parent) {
    const rlimit no_core{0, 0};
    setpgid(0, 0);
    if (dup2(output, 1) < 0 || dup2(output, 2) < 0 || syscall(SYS_close_range, 3u, ~0u, 0u) != 0)
        _exit(kCannotPrepare);
    close(0);
    if (open("/dev/null", O_RDWR) != 0) end(kCannotPrepare, "cannot open /dev/null");
    setrlimit(RLIMIT_CORE, &no_core);
    umask(022);
    if (chdir("/") != 0 || !give_up_privileges(account)) end(kCannotPrepare, "cannot give up privileges");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) end(kCannotPrepare, "the agent has ended");
    for (int signal = 1; signal < NSIG; ++signal)
        std::signal(signal, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execve(command[0], command, environment);
    end(kCannotExec, strerrordesc_np(errno));
}

std::string last_line(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
        text.remove_suffix(1);
    const std::size_t newline = text.rfind('\n');
    return printable(newline == text.npos ? text : text.substr(newline + 1), kShown);
}

} // namespace

Command::Command(std::vector<std::string> command, const std::string &rule, const User &account)
    : command_(std::move(command)) {
    std::vector<std::string> variables = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                          "LANG=C.UTF-8", "NLB_RULE=" + rule};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) fail("open a pipe");
    output_ = filter::Descriptor(ends[0]);
    const filter::Descriptor theirs(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    const std::vector<char *> words = pointers(command_), environment = pointers(variables);
    const pid_t self = getpid(), child = fork();
    if (child == 0) become(words.data(), environment.data(), account, theirs.get(), self);
    if (child < 0) fail("fork");
    setpgid(child, child); // by the child or here, as comes first
    child_ = child;
    process_ = filter::Descriptor(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
}

Command::~Command() { kill(); }

// The group is killed before its leader is buried: until then its number belongs to it.
std::optional<Command::Result> Command::result() {
    read_output();
    siginfo_t ended{};
    waitid(P_PID, static_cast<id_t>(child_), &ended, WEXITED | WNOWAIT | WNOHANG);
    if (ended.si_pid == 0) return std::nullopt;
    ::kill(-child_, SIGKILL);
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = 0;
    read_output();
    return describe(status);
}

void Command::read_output() {
    std::array<char, 4096> buffer;
    for (int pieces = 0; output_ && pieces < 16; ++pieces) {
        const ssize_t size = read(output_.get(), buffer.data(), buffer.size());
        if (size < 0) return;
        if (size == 0) {
            output_ = filter::Descriptor();
            return;
        }
        said_.append(buffer.data(), static_cast<std::size_t>(size));
        if (said_.size() > kKept) said_.erase(0, said_.size() - kKept);
    }
}

Command::Result Command::describe(int status) const {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {true, ""};
    const std::string how = WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status))
                                              : "ended by signal " + std::to_string(WTERMSIG(status));
    const std::string said = last_line(said_);
    return {false, command_[0] + ": " + how + (said.empty() ? "" : ": " + said)};
}

void Command::kill() {
    if (child_ == 0) return;
    ::kill(-child_, SIGKILL);
    ::kill(child_, SIGKILL); // in case that it has no group yet
    output_ = filter::Descriptor();
}

void Command::wait(Poll &poll) const {
    poll.read(process_.get());
    poll.read(output_.get());
}

} // namespace agent
