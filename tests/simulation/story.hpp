// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <usher/service/log_event.hpp>

#include "simulation/virtual_clock.hpp"

namespace usher::simulation {

/// All that happens, in its order: counted, hashed, and the last of it kept for whoever asks why.
class Story {
public:
    Story(VirtualClock const& clock, bool is_told) : clock_{clock}, is_told_{is_told} {}

    /// `meeting` is whom it concerns; everybody when it is empty.
    void tell(std::string text, std::string_view meeting = {});
    /// What is no event of its own counts for the hash only.
    void add_to_hash(std::string_view text);

    std::uint64_t hash() const { return hash_; }
    std::int64_t events() const { return events_; }
    /// The last lines that concern the meeting or everybody.
    std::vector<std::string> last(std::string_view meeting, std::size_t lines_max) const;

private:
    struct Line {
        Duration at;
        std::string text;
        std::string meeting;
    };
    static std::string shown(Line const& line);

    VirtualClock const& clock_;
    bool is_told_;
    std::uint64_t hash_ = 0xcbf29ce484222325U;
    std::int64_t events_ = 0;
    std::deque<Line> lines_;
};

/// What usherd says, as events of the story; the database's name is another one in each run. What usherd says at
/// `debug` is heard, so that saying it is tried too, and left out.
class StorySink final : public LogSink {
public:
    StorySink(Story& story, std::string database);
    ~StorySink() override;
    StorySink(StorySink const&) = delete;
    StorySink& operator=(StorySink const&) = delete;

    void take(LogEvent const& event, LogFields const& fields) override;
    /// The text as it is in each run.
    std::string without_folder(std::string text) const;

private:
    Story& story_;
    std::string database_;
};

} // namespace usher::simulation
