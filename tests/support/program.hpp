// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <csignal>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::test {

/// A program of its own; all that it prints goes to a file. `prepare` is called in its process, before it begins.
class Program {
public:
    Program(std::vector<std::string> words, std::string const& output, std::function<void()> const& prepare = {})
    {
        std::vector<char*> argv;
        for (std::string& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        process_ = ::fork();
        if (process_ != 0)
            return;
        const int file = ::open(output.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0644);
        ::dup2(file, 1);
        ::dup2(file, 2);
        if (prepare)
            prepare();
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    Program(Program&& other) noexcept : process_{std::exchange(other.process_, -1)} {}
    Program& operator=(Program&&) = delete;
    ~Program()
    {
        if (process_ > 0)
            end(SIGKILL);
    }

    pid_t process() const { return process_; }

    void signal(int number) const { ::kill(process_, number); }

    /// When somebody else has waited for it.
    void forget() { process_ = -1; }

    /// Sends the signal, if any, and waits; the exit status, or minus the signal that ended it.
    int end(int signal = 0)
    {
        if (signal != 0)
            ::kill(process_, signal);
        int status = 0;
        ::waitpid(process_, &status, 0);
        process_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

private:
    pid_t process_ = -1;
};

/// Whether `condition` holds within a minute.
template <class Condition>
bool eventually(Condition condition)
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline)
            return false;
        ::poll(nullptr, 0, 5); // polls a process
    }
    return true;
}

} // namespace usher::test
