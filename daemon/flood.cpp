// SPDX-License-Identifier: Apache-2.0
#include "flood.hpp"

namespace usher {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t minutes_max = 1000; // of more projects than that, all share one

} // namespace

bool Flood::passes(LogEvent const& event, std::string const& project, Instant now)
{
    if (!event.limited)
        return true;
    auto found = minutes_.find({&event, project});
    if (found == minutes_.end()) {
        const bool is_crowded = minutes_.size() >= minutes_max;
        found = minutes_.try_emplace({&event, is_crowded ? std::string{} : project}, Minute{.since = now}).first;
    }
    Minute& minute = found->second;
    if (minute.passed < passed_max) {
        ++minute.passed;
        return true;
    }
    ++minute.left_out;
    return false;
}

std::vector<Flood::LeftOut> Flood::over(Instant now, bool all)
{
    std::vector<LeftOut> told;
    for (auto entry = minutes_.begin(); entry != minutes_.end();) {
        auto const& [kind, minute] = *entry;
        if (!all && now < minute.since + 1min) {
            ++entry;
            continue;
        }
        if (minute.left_out > 0)
            told.push_back({kind.first, kind.second, minute.left_out});
        entry = minutes_.erase(entry);
    }
    return told;
}

} // namespace usher
