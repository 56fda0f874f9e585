// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <usher/core/time.hpp>
#include <usher/service/log_table.hpp>

namespace usher {

/// An event by its place in the table.
enum class LogEventNo : std::uint8_t {};

constexpr LogEvent const& event_of(LogEventNo number)
{
    return log_events[static_cast<std::size_t>(number)];
}

/// `"ready"_event`. A name that is not in the table does not compile.
consteval LogEventNo operator""_event(char const* text, std::size_t length)
{
    const std::string_view name{text, length};
    for (std::size_t i = 0; i < std::size(log_events); ++i)
        if (name == log_events[i].name)
            return LogEventNo{static_cast<std::uint8_t>(i)};
    throw "there is no such event";
}

/// The name of a field. One that is not in the table does not compile.
class LogFieldName {
public:
    // NOLINTNEXTLINE(google-explicit-constructor): so that a field is written as {"name", value}
    consteval LogFieldName(char const* name) : text_{name}
    {
        for (LogFieldKind const& kind : log_fields)
            if (kind.name == text_)
                return;
        throw "there is no such field";
    }
    constexpr std::string_view text() const { return text_; }

private:
    std::string_view text_;
};

/// A text, a whole number, or an instant, which is shown as ISO 8601. Secrets and tokens have no way in.
class LogValue {
public:
    // NOLINTBEGIN(google-explicit-constructor): so that a field is written as {"name", value}
    LogValue(std::string text) : value_{std::move(text)} {}
    LogValue(std::string_view text) : value_{std::string{text}} {}
    LogValue(char const* text) : value_{std::string{text}} {}
    template <std::integral Number>
    requires(!std::same_as<Number, bool> && !std::same_as<Number, char>) LogValue(Number number)
        : value_{static_cast<std::int64_t>(number)}
    {}
    LogValue(sys_seconds instant) : value_{to_iso8601(instant)} {}
    /// Whole milliseconds.
    LogValue(std::chrono::steady_clock::duration duration)
        : value_{static_cast<std::int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count())}
    {}
    // NOLINTEND(google-explicit-constructor)

    bool is_number() const { return std::holds_alternative<std::int64_t>(value_); }
    std::int64_t number() const { return std::get<std::int64_t>(value_); }
    /// As it came, or a number's digits.
    std::string text() const { return is_number() ? std::to_string(number()) : std::get<std::string>(value_); }

private:
    std::variant<std::string, std::int64_t> value_;
};

struct LogField {
    LogFieldName name;
    LogValue value;
};
using LogFields = std::vector<LogField>;

/// Where events go. Called by several threads.
class LogSink {
public:
    virtual ~LogSink() = default;
    virtual void take(LogEvent const& event, LogFields const& fields) = 0;
    /// Now and then, and when nothing else is to be done.
    virtual void flush() {}
};

/// From now on events of `least` and what is worse go to `sink`, which outlives its use; without one nothing is said.
/// Returns the sink before.
LogSink* set_log_sink(LogSink* sink, LogSeverity least = LogSeverity::info);
void set_log_level(LogSeverity least);

namespace detail {
inline std::atomic<int> log_level{-1}; // of priorities, up to this one; nothing as long as there is no sink
} // namespace detail

/// Whether anybody hears it.
inline bool is_logged(LogSeverity severity)
{
    return static_cast<int>(severity) <= detail::log_level.load(std::memory_order_relaxed);
}

void log_event(LogEventNo number, LogFields const& fields = {});

/// The same, for what is told at `debug`: `fields` is called only when somebody hears it.
template <std::invocable Fields>
void log_event(LogEventNo number, Fields const& fields)
{
    if (is_logged(event_of(number).severity))
        log_event(number, LogFields(fields()));
}

void flush_log();

/// The event in one line: its text, and a ` key=value` for each field. A value that could be mistaken for anything else
/// stands in quotes, see quoted_value(). Bounded, and harmless to a terminal.
std::string log_message(LogEvent const& event, LogFields const& fields);

/// So much of one value is shown.
inline constexpr std::size_t log_value_bytes_max = 2048;

} // namespace usher
