// SPDX-License-Identifier: Apache-2.0
#include "log_setup.hpp"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace usher {
namespace {

std::string const hostile = "x\x1b[2J\ny\u009b\u202e\xff";
std::string const shown = "x\\x1b[2J\\x0ay\\u{9b}\\u{202e}\\xff";

std::string logged(LogFormat format, std::string const& text)
{
    LogConfig config;
    config.format = format;
    testing::internal::CaptureStderr();
    set_up_log(config);
    spdlog::warn("broken reason=\"{}\"", text);
    spdlog::default_logger()->flush();
    return testing::internal::GetCapturedStderr();
}

TEST(Log, AnEventIsOneLineWhateverItSpeaksOf)
{
    for (const LogFormat format : {LogFormat::text, LogFormat::journal}) {
        const std::string line = logged(format, hostile);
        EXPECT_NE(line.find("broken reason=\"" + shown + "\"\n"), std::string::npos) << line;
        EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
    }
}

TEST(Log, JsonIsOneLineThatIsJson)
{
    const std::string line = logged(LogFormat::json, hostile);
    EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
    EXPECT_EQ(nlohmann::json::parse(line).at("event"), "broken reason=\"" + shown + "\"") << line;
}

TEST(Log, AnEventIsBounded)
{
    EXPECT_LT(logged(LogFormat::text, std::string(1'000'000, '\x1b')).size(), 20'000U);
}

} // namespace
} // namespace usher
