// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>

#include <usher/service/log_event.hpp>

namespace usher::test {

/// What is logged while it lives, a line for each event: its name and what it says.
class LogCapture final : public LogSink {
public:
    explicit LogCapture(LogSeverity least = LogSeverity::info) : before_{set_log_sink(this, least)} {}
    ~LogCapture() override { set_log_sink(before_); }
    LogCapture(LogCapture const&) = delete;
    LogCapture& operator=(LogCapture const&) = delete;

    void take(LogEvent const& event, LogFields const& fields) override
    {
        const std::lock_guard lock{mutex_};
        text_ += std::string{event.name} + ": " + log_message(event, fields) + '\n';
    }

    std::string text() const
    {
        const std::lock_guard lock{mutex_};
        return text_;
    }

private:
    LogSink* before_;
    mutable std::mutex mutex_;
    std::string text_;
};

} // namespace usher::test
