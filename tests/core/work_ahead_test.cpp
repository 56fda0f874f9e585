// SPDX-License-Identifier: Apache-2.0
// What usher will do, against what a vendor allows.
#include <string>

#include <gtest/gtest.h>

#include <usher/core/work_ahead.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds now{1'800'000'000s};

Projects projects(Policy const& policy = {})
{
    Projects result;
    ProjectFacts facts;
    facts.name = "default";
    facts.provider = "opentok";
    facts.network = true;
    facts.policy = policy;
    facts.policy_hash = hash_of(facts);
    result.by_name.emplace(facts.name, facts);
    return result;
}

MeetingSnapshot snapshot(std::string id, sys_seconds starts)
{
    MeetingSnapshot meeting;
    meeting.id = std::move(id);
    meeting.meeting = MeetingRow{starts, starts + 1h, false, "default", {}};
    ParticipantRow person;
    person.id = "ann";
    person.role = Role::publisher;
    meeting.participants.push_back(person);
    return meeting;
}

TEST(WorkAhead, CountsCallsAndTokensByMinutes)
{
    const Projects known = projects();
    WorkAhead ahead{known, now, now, now + 24h};
    ahead.add(snapshot("m", now + 48h));
    const Schedule schedule = schedule_of("m", *snapshot("m", now + 48h).meeting, Policy{});

    ASSERT_EQ(ahead.minutes().size(), 1U) << "tokens are wanted later";
    auto const& [when, work] = *ahead.minutes().begin();
    EXPECT_EQ(when, floor_to(schedule.session_from, minute));
    EXPECT_EQ(work.all_calls(), 1);
    EXPECT_EQ(work.tokens, 0);
    ASSERT_EQ(ahead.calls().at("default").at(when).size(), 1U);
    EXPECT_EQ(ahead.calls().at("default").at(when).begin()->first, floor_to(schedule.opens, minute));
}

TEST(WorkAhead, PutsTheBusiestMinuteAgainstTheQuota)
{
    Policy policy;
    policy.session_lead = policy.token_lead = 3s; // too short to be spread
    const Projects known = projects(policy);
    WorkAhead ahead{known, now, now, now + 24h};
    EXPECT_EQ(ahead.peak_ratio("default", 5), 0);
    for (int i = 0; i < 90; ++i)
        ahead.add(snapshot("later-" + std::to_string(i), now + 10h));
    EXPECT_DOUBLE_EQ(ahead.peak_ratio("default", 1), 1.5);
    EXPECT_DOUBLE_EQ(ahead.peak_ratio("default", 3), 0.5);
    EXPECT_EQ(ahead.peak_ratio("another", 1), 0);
    for (int i = 0; i < 500; ++i)
        ahead.add(snapshot("waits-" + std::to_string(i), now + 10min)); // for its turn, already
    EXPECT_DOUBLE_EQ(ahead.peak_ratio("default", 1), 1.5);
}

TEST(WorkAhead, PassesOverWhatHasNoWork)
{
    const Projects known = projects();
    const std::uint64_t hash = known.by_name.at("default").policy_hash;
    const WorkAhead ahead{known, now, now, now + 24h};
    EXPECT_TRUE(ahead.concerns(now + 24h - 1s, hash));
    EXPECT_FALSE(ahead.concerns(now + 24h, hash));
    EXPECT_FALSE(ahead.concerns(now + 24h, 0));
    EXPECT_TRUE(ahead.concerns(now + 24h, hash + 1)) << "planned by another configuration";
}

} // namespace
} // namespace usher
