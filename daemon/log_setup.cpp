// SPDX-License-Identifier: Apache-2.0
#include "log_setup.hpp"

#include <cstdlib>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace usher {

void set_up_log(LogConfig const& config)
{
    auto logger = std::make_shared<spdlog::logger>("usherd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    const bool journal = config.format == LogFormat::journal ||
                         (config.format == LogFormat::automatic && std::getenv("JOURNAL_STREAM") != nullptr);
    if (config.format == LogFormat::json)
        logger->set_pattern(
            R"({"at":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","event":"%v"})", spdlog::pattern_time_type::utc
        );
    else if (journal) // the journal has time and process; it reads the level from the line itself
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
