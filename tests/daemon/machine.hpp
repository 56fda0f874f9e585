// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <usher/store/database.hpp>

#include "support/program.hpp"
#include "support/sqlite/platform.hpp"
#include "support/temp_dir.hpp"

namespace usher::test {

inline std::string read_text(std::string const& path)
{
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// A database, and the programs that work on it.
class Machine : public testing::Test {
protected:
    Machine() { create_database(path, FileAccess::group_and_read); }

    Program usherd(std::vector<std::string> const& options = {}, std::function<void()> const& prepare = {}) const
    {
        std::ofstream{output}; // emptied
        std::vector<std::string> words{USHERD, "--db", path};
        words.insert(words.end(), options.begin(), options.end());
        return Program{words, output, prepare};
    }
    Program once(std::function<void()> const& prepare = {}) const { return usherd({"--once"}, prepare); }

    /// What usherctl prints; its exit status is in `status`.
    std::string usherctl(std::vector<std::string> const& options, std::function<void()> const& prepare = {}) const
    {
        const std::string answer = folder.file("answer");
        std::ofstream{answer};
        std::vector<std::string> words{USHERCTL, "--db", path};
        words.insert(words.end(), options.begin(), options.end());
        status = Program(words, answer, prepare).end();
        return read_text(answer);
    }

    Platform platform() const { return open_platform(path); }

    std::string ask(std::string const& query) const { return open_reader(path).execAndGet(query).getString(); }

    std::string printed() const { return read_text(output); }
    bool says(std::string const& text) const { return printed().find(text) != std::string::npos; }
    /// A page was read while another file was copied over this one.
    bool is_mixed() const { return says("is no sound database") || says(" cannot be read: "); }
    bool said(std::string const& text) const
    {
        return eventually([&] { return says(text); });
    }

    /// One statement after the other: a daemon may see the meeting without its participant.
    static std::string rows_of(std::string const& id)
    {
        return "INSERT INTO meeting (id, starts_at, ends_at) VALUES ('" + id +
               "', strftime('%s', 'now') + 300, strftime('%s', 'now') + 7200);"
               "INSERT INTO participant (meeting_id, participant_id, role) VALUES ('" +
               id + "', 'ann', 'publisher')";
    }
    void add_meeting(std::string const& id) const { platform().exec("BEGIN IMMEDIATE;" + rows_of(id) + "; COMMIT"); }

    bool is_ready(std::string const& id) const
    {
        return ask("SELECT count(*) FROM join_credential WHERE meeting_id = '" + id + "'") == "1";
    }
    bool gets_ready(std::string const& id) const
    {
        return eventually([&] { return is_ready(id); });
    }

    static bool exists(std::string const& file) { return ::access(file.c_str(), F_OK) == 0; }

    TempDir folder;
    std::string path = folder.file("usher.db");
    std::string output = folder.file("output");
    mutable int status = 0;
};

} // namespace usher::test
