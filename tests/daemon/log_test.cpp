// SPDX-License-Identifier: Apache-2.0
#include "log_setup.hpp"

#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace usher {
namespace {

const std::string hostile = "x\x1b[2J\ny\u009b\u202e\xff";
const std::string shown = "x\\x1b[2J\\x0ay\\u{9b}\\u{202e}\\xff";

std::string logged(LogFormat format, std::string const& text)
{
    LogConfig config;
    config.format = format;
    testing::internal::CaptureStderr();
    set_up_log(config);
    spdlog::log({"", 1, "a.name"}, spdlog::level::warn, "broken reason=\"{}\"", text);
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
    const auto document = nlohmann::json::parse(line);
    EXPECT_EQ(document.at("event"), "a.name") << line;
    EXPECT_EQ(document.at("message"), "broken reason=\"" + shown + "\"") << line;
}

TEST(Log, WhatIsHeldBackKeepsItsName)
{
    LogConfig config;
    config.format = LogFormat::json;
    testing::internal::CaptureStderr();
    set_up_log(config);
    for (int i = 0; i < 7; ++i)
        spdlog::log({"", 1, "a.name"}, spdlog::level::warn, "broken meeting={}", i);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("another")); // ends the one before

    std::string last = testing::internal::GetCapturedStderr();
    last.pop_back();
    const auto document = nlohmann::json::parse(last.substr(last.rfind('\n') + 1));
    EXPECT_EQ(document.at("message"), "broken meeting=6 repeated=2");
    EXPECT_EQ(document.at("event"), "a.name");
}

TEST(Log, AnEventIsBounded)
{
    EXPECT_LT(logged(LogFormat::text, std::string(1'000'000, '\x1b')).size(), 20'000U);
}

} // namespace
} // namespace usher
