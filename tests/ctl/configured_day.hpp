// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "ctl/example_day.hpp"

namespace usher::ctl {

/// The example's day, asked about with the configuration that usherd has.
class ConfiguredDay : public ExampleDay {
protected:
    ConfiguredDay()
    {
        default_kind = "opentok";
        world.restart();
        std::ofstream{secret} << example_secret;
        ::chmod(secret.c_str(), 0600);
        write_config(config, "123456");
    }

    void write_config(std::string const& file, std::string const& key, std::string const& more = {}) const
    {
        std::ofstream{file} << "database: " << world.path << "\nprojects:\n  default: {provider: opentok, api_key: \""
                            << key << "\", api_secret: {file: " << secret << "}" << more
                            << "}\n  partner: {provider: opentok, api_key: \"654321\", api_secret: {file: " << secret
                            << "}}\ntokens: {early_join: {moderator: 15m, default: 5m}, visible: at_opens}\n";
    }

    test::Answer ask(std::vector<std::string> words, std::string const& file = {})
    {
        words.insert(words.begin(), {"--config", file.empty() ? config : file});
        return test::call_usherctl(std::move(words), {80, false, now});
    }

    /// What is printed, to both streams.
    std::string said(std::vector<std::string> const& words, int expected_status = 0)
    {
        const test::Answer answer = ask(words);
        EXPECT_EQ(answer.status, expected_status) << answer.out << answer.err;
        return answer.out + answer.err;
    }

    std::string secret = world.folder.file("secret");
    std::string config = world.folder.file("usher.yaml");
};

} // namespace usher::ctl
