// SPDX-License-Identifier: Apache-2.0
#include "log_setup.hpp"

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace usher {

namespace {

/// `%*`: the event as a JSON string, quotes and all. Bytes that are not UTF-8 become U+FFFD.
class EventAsJson : public spdlog::custom_flag_formatter {
public:
    void format(spdlog::details::log_msg const& message, std::tm const&, spdlog::memory_buf_t& out) override
    {
        const nlohmann::json event = std::string{message.payload.data(), message.payload.size()};
        const std::string text = event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        out.append(text.data(), text.data() + text.size());
    }
    std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<EventAsJson>(); }
};

} // namespace

void set_up_log(LogConfig const& config)
{
    auto logger = std::make_shared<spdlog::logger>("usherd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    const bool journal = config.format == LogFormat::journal ||
                         (config.format == LogFormat::automatic && std::getenv("JOURNAL_STREAM") != nullptr);
    if (config.format == LogFormat::json) {
        auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
        formatter->add_flag<EventAsJson>('*').set_pattern(R"({"at":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","event":%*})");
        logger->set_formatter(std::move(formatter));
    } else if (journal) // the journal has time and process; it reads the level from the line itself
        logger->set_pattern("%l %v");
    else
        logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    switch (config.level) {
    case LogLevel::debug: logger->set_level(spdlog::level::debug); break;
    case LogLevel::info: logger->set_level(spdlog::level::info); break;
    case LogLevel::warning: logger->set_level(spdlog::level::warn); break;
    case LogLevel::error: logger->set_level(spdlog::level::err); break;
    }
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

} // namespace usher
