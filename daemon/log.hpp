// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <usher/config/config.hpp>
#include <usher/service/log_event.hpp>

#include "flood.hpp"
#include "line_writer.hpp"

namespace usher {

/// Of one priority: `events` = `written` + `suppressed` + `dropped`. An event is counted once it is known what became
/// of it, so not while it waits for its reader. Lines that tell of others are no events.
struct LogCount {
    std::uint64_t events = 0;
    std::uint64_t written = 0;
    std::uint64_t suppressed = 0; ///< As a part of a flood.
    std::uint64_t dropped = 0;    ///< Since nobody read them, or they could not be written.

    friend bool operator==(LogCount const&, LogCount const&) = default;
};
using LogCounts = std::array<LogCount, log_priorities>; ///< By priority.

struct LogRecord;

/// Writes events as configured, to standard error or as the journal's entries, and thins out floods. Never waits for
/// whoever reads them: what they miss is counted, and they are told of that.
class Log final : public LogSink {
public:
    /// What tests put in the place of the world.
    struct Doors {
        LineWriter& standard_error;
        bool is_journal;            ///< On standard error.
        std::string journal_socket; ///< Where the journal takes entries, should it be there.
        std::function<std::chrono::steady_clock::time_point()> steady_now = std::chrono::steady_clock::now;
    };
    explicit Log(Doors doors);
    Log(Log const&) = delete;
    Log& operator=(Log const&) = delete;

    /// In another format from now on.
    void set_format(LogFormat format);
    /// Whether it is lines of text on standard error.
    bool is_for_people() const;

    void take(LogEvent const& event, LogFields const& fields) override;
    void flush() override;

    /// Offers again what was not read yet; returns in how long to do so again, if anything is left.
    std::optional<std::chrono::milliseconds> push();
    /// Tells what was left out, and waits until all was read, or for about `at_most`.
    void finish(std::optional<std::chrono::milliseconds> at_most);

    LogCounts counts() const;

private:
    using Render = std::string (*)(LogRecord const&);

    LineWriter& writer();
    void tell_dropped();
    void tell_left_out(bool all);
    std::string render(LogEvent const& event, LogFields const& fields, std::uint64_t suppressed = 0) const;

    mutable std::mutex mutex_;
    Doors doors_;
    std::unique_ptr<LineWriter> journal_; // once it was wanted
    bool to_journal_ = false;
    bool with_priority_ = false; // as `<4>` before each line, which a journal reads
    Render render_;
    Flood flood_;
    std::array<std::uint64_t, log_priorities> suppressed_{};
};

} // namespace usher
