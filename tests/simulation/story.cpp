// SPDX-License-Identifier: Apache-2.0
#include "simulation/story.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <utility>

#include <usher/core/policy.hpp>

namespace usher::simulation {

namespace {

constexpr std::size_t lines_kept = 20'000;

} // namespace

void Story::tell(std::string text, std::string_view meeting)
{
    const Duration at = clock_.steady_now() - Instant{};
    add_to_hash(std::to_string(at.count()));
    add_to_hash(meeting);
    add_to_hash(text);
    ++events_;
    lines_.push_back({at, std::move(text), std::string{meeting}});
    if (is_told_)
        std::cout << shown(lines_.back()) << '\n';
    if (lines_.size() > lines_kept)
        lines_.pop_front();
}

void Story::add_to_hash(std::string_view text)
{
    hash_ = stable_hash(text, hash_ * 31);
}

std::string Story::shown(Line const& line)
{
    const auto micros = std::chrono::floor<std::chrono::microseconds>(line.at).count();
    const long long day = micros / 86'400'000'000;
    const long long rest = micros % 86'400'000'000;
    char text[64];
    std::snprintf(
        text, sizeof text, "day %2lld %02lld:%02lld:%02lld.%06lld  ", day, rest / 3'600'000'000, rest / 60'000'000 % 60,
        rest / 1'000'000 % 60, rest % 1'000'000
    );
    return text + (line.meeting.empty() ? std::string{} : line.meeting + ": ") + line.text;
}

std::vector<std::string> Story::last(std::string_view meeting, std::size_t lines_max) const
{
    std::vector<std::string> found;
    for (auto line = lines_.rbegin(); line != lines_.rend() && found.size() < lines_max; ++line)
        if (line->meeting.empty() || meeting.empty() || line->meeting == meeting)
            found.push_back(shown(*line));
    std::reverse(found.begin(), found.end());
    return found;
}

StorySink::StorySink(Story& story, std::string database) : story_{story}, database_{std::move(database)}
{
    set_log_sink(this, LogSeverity::debug);
}

StorySink::~StorySink()
{
    set_log_sink(nullptr);
}

void StorySink::take(LogEvent const& event, LogFields const& fields)
{
    if (event.severity != LogSeverity::debug)
        story_.tell("usherd: " + without_folder(log_message(event, fields)));
}

std::string StorySink::without_folder(std::string text) const
{
    for (auto at = text.find(database_); at != std::string::npos; at = text.find(database_))
        text.replace(at, database_.size(), "usher.db");
    return text;
}

} // namespace usher::simulation
