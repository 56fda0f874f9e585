// SPDX-License-Identifier: Apache-2.0
// A real schedule through the stand-in, with every third answer faulty. Needs the folder `shared` beside the
// repository.
#include <filesystem>
#include <sstream>

#include <import.hpp>

#include "live_world.hpp"

namespace usher {
namespace {

using namespace test;
using vendor::FaultKind;

class RealSchedule : public LiveWorld, public testing::Test {};

TEST_F(RealSchedule, BecomesReadyThroughFaultsOfAllKinds)
{
    const std::filesystem::path schedule = std::filesystem::path{USHER_SOURCE_DIR} / "../shared/schedules/fosdem";
    if (!std::filesystem::exists(schedule))
        GTEST_SKIP() << "there is no " << schedule;
    policy.session_lead = policy.token_lead = std::chrono::days{400};
    policy.max_token_life = std::chrono::days{29};
    policy.rotation_margin = std::chrono::days{9};
    restart();
    ctl::ImportOptions options;
    options.meetings_path = schedule / "meetings.csv";
    options.participants_path = schedule / "participants.csv";
    options.database_path = path;
    options.shift_start = clock.now() + 6h;
    std::ostringstream problems;
    ctl::Printer printer{problems};
    ctl::import_schedule(options, printer);
    const std::int64_t all = number("SELECT count(*) FROM meeting");
    ASSERT_GT(all, 1000);
    vendor.behaviour.chance = 0.3;
    for (const FaultKind kind :
         {FaultKind::delay, FaultKind::too_many, FaultKind::server_error, FaultKind::bad_gateway,
          FaultKind::unavailable, FaultKind::gateway_timeout, FaultKind::reset_connect, FaultKind::reset_after,
          FaultKind::half_body, FaultKind::wrong_type, FaultKind::xml, FaultKind::empty_array, FaultKind::missing_id,
          FaultKind::skewed_date})
        vendor.behaviour.by_chance.push_back(vendor::fault_of(kind));
    for (vendor::Fault& fault : vendor.behaviour.by_chance)
        if (fault.kind == FaultKind::delay)
            fault.delay = 30s;

    for (int hours = 0; hours < 5 && ready() < all; ++hours)
        pass_time(1h);

    EXPECT_EQ(ready(), all);
    const auto made = static_cast<std::int64_t>(vendor.sessions().size());
    EXPECT_GT(made, all);
    EXPECT_EQ(made - all, abandoned());
    EXPECT_EQ(number("SELECT count(*) FROM join_credential"), number("SELECT count(*) FROM participant"));
}

} // namespace
} // namespace usher
