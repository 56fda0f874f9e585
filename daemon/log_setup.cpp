// SPDX-License-Identifier: Apache-2.0
#include "log_setup.hpp"

#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <usher/core/printable.hpp>
#include <usher/service/log_event.hpp>

#include "line_writer.hpp"
#include "repeats.hpp"

namespace usher {

namespace {

constexpr std::size_t event_max = 4096; // bytes

/// Escapes what was said, before the pattern adds to it: an event is one line, whatever the rows and the servers hold
/// that it speaks of. All patterns go through it.
class Printable : public spdlog::formatter {
public:
    explicit Printable(std::unique_ptr<spdlog::formatter> pattern) : pattern_{std::move(pattern)} {}

    void format(spdlog::details::log_msg const& message, spdlog::memory_buf_t& out) override
    {
        const std::string event = printable({message.payload.data(), message.payload.size()}, event_max);
        spdlog::details::log_msg shown = message;
        shown.payload = event;
        pattern_->format(shown, out);
    }
    std::unique_ptr<formatter> clone() const override { return std::make_unique<Printable>(pattern_->clone()); }

private:
    std::unique_ptr<spdlog::formatter> pattern_;
};

/// `%*`: the message as a JSON string, quotes and all.
class MessageAsJson : public spdlog::custom_flag_formatter {
public:
    void format(spdlog::details::log_msg const& message, std::tm const&, spdlog::memory_buf_t& out) override
    {
        const nlohmann::json json = std::string{message.payload.data(), message.payload.size()};
        const std::string text = json.dump();
        out.append(text.data(), text.data() + text.size());
    }
    std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<MessageAsJson>(); }
};

/// Standard error. A reader that does not read holds nobody up: what it misses is counted, and it is told of that.
class StandardErrorSink : public spdlog::sinks::base_sink<std::mutex> {
public:
    StandardErrorSink() = default;
    StandardErrorSink(StandardErrorSink const&) = delete;
    StandardErrorSink& operator=(StandardErrorSink const&) = delete;
    ~StandardErrorSink() override { tell_dropped(); }

protected:
    void sink_it_(spdlog::details::log_msg const& message) override
    {
        tell_dropped();
        writer_.offer(formatted(message));
    }
    void flush_() override { tell_dropped(); }

private:
    std::string formatted(spdlog::details::log_msg const& message)
    {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        return {line.data(), line.size()};
    }

    void tell_dropped()
    {
        writer_.tell_dropped([this](std::size_t count) {
            LogEvent const& event = event_of("log.dropped"_event);
            const std::string text = fmt::format("{} count={}", event.text, count);
            return formatted({{"", 1, event.name}, "usherd", spdlog::level::warn, text});
        });
    }

    LineWriter& writer_ = standard_error();
};

/// Hands on what Repeats lets pass; errors always.
class ThinningSink : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit ThinningSink(std::shared_ptr<spdlog::sinks::sink> out) : out_{std::move(out)} {}
    ThinningSink(ThinningSink const&) = delete;
    ThinningSink& operator=(ThinningSink const&) = delete;
    ~ThinningSink() override { print_due(true); }

protected:
    void sink_it_(spdlog::details::log_msg const& message) override
    {
        if (message.level >= spdlog::level::err)
            return out_->log(message);
        const std::string_view event{message.payload.data(), message.payload.size()};
        if (const auto line = repeats_[{message.level, name_of(message)}].take(event, message.time)) {
            spdlog::details::log_msg thinned = message;
            thinned.payload = *line;
            out_->log(thinned);
        }
    }
    void flush_() override
    {
        print_due(false);
        out_->flush();
    }
    void set_pattern_(std::string const& pattern) override { out_->set_pattern(pattern); }
    void set_formatter_(std::unique_ptr<spdlog::formatter> formatter) override
    {
        out_->set_formatter(std::move(formatter));
    }

private:
    /// Of the event; empty for what has none. Names are literals, so they can be told apart by their addresses.
    static char const* name_of(spdlog::details::log_msg const& message)
    {
        return message.source.empty() ? "" : message.source.funcname;
    }

    void print_due(bool all)
    {
        for (auto& [kind, repeats] : repeats_)
            for (std::string const& line : repeats.due(std::chrono::system_clock::now(), all))
                out_->log({{"", 1, kind.second}, "usherd", kind.first, line});
    }

    std::shared_ptr<spdlog::sinks::sink> out_;
    std::map<std::pair<spdlog::level::level_enum, char const*>, Repeats> repeats_; // by level and name
};

} // namespace

void set_up_log(LogConfig const& config)
{
    auto logger = std::make_shared<spdlog::logger>(
        "usherd", std::make_shared<ThinningSink>(std::make_shared<StandardErrorSink>())
    );
    const bool journal = config.format == LogFormat::journal ||
                         (config.format == LogFormat::automatic && std::getenv("JOURNAL_STREAM") != nullptr);
    auto pattern = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
    if (config.format == LogFormat::json)
        pattern->add_flag<MessageAsJson>('*').set_pattern(
            R"({"at":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","event":"%!","message":%*})" // see log_event()
        );
    else if (journal) // the journal has time and process; it reads the level from the line itself
        pattern->set_pattern("%l %v");
    else
        pattern->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v");
    logger->set_formatter(std::make_unique<Printable>(std::move(pattern)));
    switch (config.level) {
    case LogLevel::debug: logger->set_level(spdlog::level::debug); break;
    case LogLevel::info: logger->set_level(spdlog::level::info); break;
    case LogLevel::warning: logger->set_level(spdlog::level::warn); break;
    case LogLevel::error: logger->set_level(spdlog::level::err); break;
    }
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

void end_log(std::optional<std::chrono::milliseconds> at_most)
{
    const bool read = standard_error().finish(at_most);
    spdlog::shutdown(); // says what was held back, and how many lines were dropped
    if (read)
        standard_error().finish(at_most);
}

} // namespace usher
