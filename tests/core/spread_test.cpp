// SPDX-License-Identifier: Apache-2.0
// How evenly spreads and back-offs fall: fixed ids, so each figure is the same every time.
#include <array>
#include <cstdio>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include <usher/core/backoff.hpp>
#include <usher/core/plan.hpp>
#include <usher/core/policy.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr int parts = 32;
constexpr int ids = 32'000;
// Of 31 degrees of freedom: a fair draw is beyond it once in a hundred thousand times.
constexpr double chi_square_max = 75;

using Counts = std::array<int, parts>;

/// Pearson's, against equal counts.
double chi_square(Counts const& counts)
{
    double total = 0;
    for (const int count : counts)
        total += count;
    const double expected = total / parts;
    double sum = 0;
    for (const int count : counts)
        sum += (count - expected) * (count - expected) / expected;
    return sum;
}

/// How often each part of [0, range] is met.
Counts counted(seconds range, std::function<seconds(std::string const&)> const& of, std::string (*id_of)(int))
{
    Counts counts{};
    for (int i = 0; i < ids; ++i)
        ++counts.at(static_cast<std::size_t>(of(id_of(i)).count() * parts / (range.count() + 1)));
    return counts;
}

std::string numbered(int i)
{
    return std::to_string(i);
}
std::string named(int i)
{
    return "course-" + std::to_string(i % 400) + "/2026-" + std::to_string(i / 400);
}
std::string hexadecimal(int i)
{
    char text[48];
    std::snprintf(text, sizeof text, "7f3a%08x-0000-4000-8000-000000000000", static_cast<unsigned>(i));
    return text;
}

class Spread : public testing::TestWithParam<std::string (*)(int)> {};
INSTANTIATE_TEST_SUITE_P(Ids, Spread, testing::Values(&numbered, &named, &hexadecimal));

// 32 parts of the same size.
constexpr seconds six_hours{6 * 3600 - 1};
constexpr seconds one_minute{64 - 1};

TEST_P(Spread, FillsItsWindowEvenly)
{
    for (const std::uint64_t salt : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{1'800'000'000}})
        for (const seconds range : {six_hours, one_minute})
            EXPECT_LT(
                chi_square(counted(
                    range, [&](std::string const& id) { return spread(id, salt, range); }, GetParam()
                )),
                chi_square_max
            ) << "salt "
              << salt << ", range " << range.count();
}

TEST_P(Spread, OfSessionsSaysNothingAboutThatOfTokens)
{
    Counts differences{};
    for (int i = 0; i < ids; ++i) {
        const std::string id = GetParam()(i);
        const seconds between = spread(id, 1, one_minute) - spread(id, 2, one_minute) + one_minute + 1s;
        ++differences.at(static_cast<std::size_t>(between.count() % 64 / 2));
    }
    EXPECT_LT(chi_square(differences), chi_square_max);
}

TEST_P(Spread, HasTheMeetingsOfOneInstantBegunEvenly)
{
    Policy policy;
    policy.token_lead = seconds{4 * 6 * 3600 - 4};
    const MeetingRow row{.starts_at = sys_seconds{1'800'000'000s}, .ends_at = sys_seconds{1'800'003'600s}};
    const auto tokens_late = [&](std::string const& id) {
        const Schedule schedule = schedule_of(id, row, policy);
        return schedule.opens - policy.token_lead - schedule.tokens_from;
    };
    EXPECT_LT(chi_square(counted(six_hours, tokens_late, GetParam())), chi_square_max);
}

TEST_P(Spread, HasThoseWhoFailedTogetherComeBackEvenly)
{
    // From one second on: 512 seconds in 32 parts, at the ninth failure.
    const seconds cap = 512s;
    const auto delay = [&](std::string const& id) { return backoff(9, 4s, cap, id) - 1s; };
    EXPECT_LT(chi_square(counted(cap - 1s, delay, GetParam())), chi_square_max);
}

TEST_P(Spread, OfOneFailureSaysNothingAboutThatOfTheNext)
{
    Counts differences{};
    for (int i = 0; i < ids; ++i) {
        const std::string id = GetParam()(i);
        const seconds between = backoff(9, 4s, 512s, id) - backoff(10, 4s, 512s, id) + 512s;
        ++differences.at(static_cast<std::size_t>(between.count() % 512 / 16));
    }
    EXPECT_LT(chi_square(differences), chi_square_max);
}

TEST(SpreadCheck, FindsAnUnevenOne)
{
    Counts counts;
    counts.fill(1000);
    EXPECT_LT(chi_square(counts), 0.001);
    counts[3] += 300;
    EXPECT_GT(chi_square(counts), chi_square_max);
}

} // namespace
} // namespace usher
