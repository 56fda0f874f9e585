// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "usher_bench.hpp"

namespace usher::bench {

void print(char const* name, double value)
{
    std::printf("%s %.9g\n", name, value);
    std::fflush(stdout);
}

void print_times(std::string const& prefix, std::vector<double> seconds)
{
    if (seconds.empty())
        throw std::runtime_error{"nothing was measured: it ended too early"};
    std::sort(seconds.begin(), seconds.end());
    const auto percentile = [&](double share) {
        const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(seconds.size())));
        return seconds[std::max<std::size_t>(rank, 1) - 1] * 1000;
    };
    print((prefix + "p50_ms").c_str(), percentile(0.5));
    print((prefix + "p99_ms").c_str(), percentile(0.99));
    print((prefix + "max_ms").c_str(), percentile(1));
}

void show_progress(char const* what, std::int64_t done, std::int64_t of)
{
    if (::isatty(STDERR_FILENO) != 0)
        std::fprintf(
            stderr, "\r\033[K%s %3.0f %%%s", what, 100.0 * static_cast<double>(done) / static_cast<double>(of),
            done == of ? "\r\033[K" : ""
        );
}

Child::Child(std::vector<std::string> const& command) : start_{SteadyClock::now()}
{
    if (command.empty())
        return;
    std::vector<char*> arguments;
    for (std::string const& argument : command)
        arguments.push_back(const_cast<char*>(argument.c_str())); // posix_spawn leaves them alone
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    const int error = ::posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        throw std::system_error{error, std::generic_category(), command[0]};
}

Child::~Child()
{
    if (pid_ == 0 || ended_)
        return;
    ::kill(pid_, SIGTERM);
    reap(0);
}

void Child::reap(int options)
{
    if (pid_ == 0 || ended_ || ::wait4(pid_, &status_, options, &usage_) != pid_)
        return;
    ended_ = true;
    wall_s_ = seconds_since(start_);
}

bool Child::ended()
{
    reap(WNOHANG);
    return ended_;
}

void Child::finish()
{
    if (pid_ == 0)
        return;
    reap(0);
    // usherd --once ends with 1 when a platform wrote something while it ended, as those of the benchmarks do.
    if (!WIFEXITED(status_) || WEXITSTATUS(status_) > 1)
        throw std::runtime_error{"the command failed"};
    const auto in_seconds = [](timeval const& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    print("wall_s", wall_s_);
    print("cpu_s", in_seconds(usage_.ru_utime) + in_seconds(usage_.ru_stime));
    print("peak_kib", static_cast<double>(usage_.ru_maxrss));
}

void measure_idle(pid_t pid, double seconds)
{
    clockid_t clock{};
    if (const int error = ::clock_getcpuclockid(pid, &clock); error != 0)
        throw std::system_error{error, std::generic_category(), "process " + std::to_string(pid)};
    const auto used = [&] {
        timespec time{};
        if (::clock_gettime(clock, &time) != 0)
            throw std::system_error{errno, std::generic_category(), "process " + std::to_string(pid)};
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
    };
    const double before = used();
    const auto start = SteadyClock::now();
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    print("cpu_percent", (used() - before) / seconds_since(start) * 100);
}

} // namespace usher::bench
