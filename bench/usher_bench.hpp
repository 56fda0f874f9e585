// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>

namespace usher::bench {

using SteadyClock = std::chrono::steady_clock;

inline double seconds_since(SteadyClock::time_point start)
{
    return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

/// Prints `NAME VALUE`, one line, which is what the scenarios read.
void print(char const* name, double value);

/// Prints PREFIXp50_ms, PREFIXp99_ms and PREFIXmax_ms of times in seconds.
void print_times(std::string const& prefix, std::vector<double> seconds);

/// Tells on standard error how far a long work is, if that is a terminal.
void show_progress(char const* what, std::int64_t done, std::int64_t of);

/// A command that runs beside the measuring, or is what is measured. Its standard output goes nowhere.
class Child {
public:
    explicit Child(std::vector<std::string> const& command); ///< Empty: there is none, and `ended` is false for ever.
    Child(Child const&) = delete;
    Child& operator=(Child const&) = delete;
    ~Child();

    bool ended();
    /// Waits; prints wall_s, cpu_s and peak_kib. Throws if the command failed.
    void finish();

private:
    void reap(int options);

    pid_t pid_ = 0;
    int status_ = 0;
    bool ended_ = false;
    rusage usage_{};
    SteadyClock::time_point start_;
    double wall_s_ = 0;
};

// The schedule. Of every 50 meetings the first starts within the hour, the others in 3 hours to 20 days; times are
// shuffled against the order of arrival.
constexpr std::int64_t near_every = 50;
std::string meeting_id(std::int64_t meeting);
std::string participant_id(std::int64_t participant);
void fill(std::string const& path, std::int64_t meetings, std::int64_t each);

/// Writes into `to` what usherd wrote into its copy `from`, as fast as plain statements can: prints seconds, tokens.
/// `past`: with what it keeps of the tokens that it replaced.
void write_bare(std::string const& from, std::string const& to, bool past);

enum class Which { any, near, far };

/// Changes one role after the other, and waits each time until a token for it can be read. Ends after `count`, or with
/// the command.
void measure_latency(
    std::string const& path, std::int64_t count, std::chrono::milliseconds interval, Which which,
    std::vector<std::string> const& command
);

/// A platform that writes small transactions and reads credentials, each on a thread of its own.
void be_neighbour(
    std::string const& path, std::chrono::milliseconds duration, std::chrono::milliseconds interval,
    std::vector<std::string> const& command
);

/// The largest size of the WAL while readers come and go and the command runs.
void watch_wal(std::string const& path, std::vector<std::string> const& command);

/// Has a daemon load its configuration again, and waits until each token of a sample has been replaced by another.
void reload_and_wait(std::string const& path, pid_t daemon, std::int64_t sample);

/// The share of one core that a process uses.
void measure_idle(pid_t pid, double seconds);

/// The time of a pass that finds nothing due, with the look for what is due next.
void measure_pass(std::string const& path, int count);

} // namespace usher::bench
