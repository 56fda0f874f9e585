// SPDX-License-Identifier: Apache-2.0
// The planner at its boundaries: one second before, at, after.
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <usher/core/plan.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds starts{1'800'000'000s};
constexpr sys_seconds ends = starts + 1h;

Projects projects()
{
    Projects result;
    ProjectFacts facts;
    facts.name = "default";
    facts.provider = "sandbox";
    facts.project_key = "123456";
    facts.key_id = "key";
    facts.policy_hash = hash_of(facts);
    result.by_name.emplace(facts.name, facts);
    return result;
}

/// A meeting of one hour with one person and, from the start, a published session.
MeetingSnapshot snapshot()
{
    MeetingSnapshot meeting;
    meeting.number = MeetingNo{1};
    meeting.id = "m";
    meeting.meeting = MeetingRow{starts, ends, false, "default", {}};
    meeting.published = SessionRow{SessionNo{1}, "s", "sandbox", "default", "123456", to_text(SessionOptions{})};
    ParticipantRow ann;
    ann.id = "ann";
    ann.role = Role::publisher;
    meeting.participants.push_back(ann);
    return meeting;
}

Schedule schedule()
{
    return schedule_of("m", MeetingRow{starts, ends}, Policy{});
}

TEST(Schedule, SpreadsOnlyMakeWorkEarlier)
{
    const Policy policy;
    for (int i = 0; i < 1000; ++i) {
        const std::string id = "meeting " + std::to_string(i);
        const Schedule planned = schedule_of(id, MeetingRow{starts, ends}, policy);
        EXPECT_EQ(planned.opens, starts - 15min);
        EXPECT_EQ(planned.closes, ends + 15min);
        EXPECT_LE(planned.tokens_from, planned.opens - policy.token_lead);
        EXPECT_GE(planned.tokens_from, planned.opens - policy.token_lead - policy.token_lead / 4);
        EXPECT_LE(planned.session_from, planned.opens - policy.session_lead);
        EXPECT_LE(planned.session_from, planned.tokens_from);
    }
}

TEST(Plan, SessionAndTokensBeginAtTheirInstant)
{
    MeetingSnapshot meeting = snapshot();
    meeting.published.reset();
    const Schedule at = schedule();
    const Plan before = plan(meeting, projects(), at.session_from - 1s);
    EXPECT_EQ(before.session, SessionStep::keep);
    EXPECT_EQ(before.due, at.session_from);
    const Plan session = plan(meeting, projects(), at.session_from);
    EXPECT_EQ(session.session, SessionStep::create);
    EXPECT_TRUE(session.sign.empty());
    EXPECT_EQ(session.due, at.tokens_from);

    EXPECT_TRUE(plan(snapshot(), projects(), at.tokens_from - 1s).sign.empty());
    const Plan tokens = plan(snapshot(), projects(), at.tokens_from);
    ASSERT_EQ(tokens.sign.size(), 1U);
    EXPECT_EQ(tokens.sign[0].reason, TokenReason::issued);
    EXPECT_EQ(tokens.state, State::ready);
    EXPECT_EQ(tokens.due, at.closes);
}

TEST(Plan, EndsAtCloses)
{
    EXPECT_EQ(plan(snapshot(), projects(), schedule().closes - 1s).state, State::ready);
    const Plan ended = plan(snapshot(), projects(), schedule().closes);
    EXPECT_EQ(ended.state, State::ended);
    EXPECT_TRUE(ended.sign.empty());
    EXPECT_EQ(ended.due, schedule().closes + Policy{}.retention);
    EXPECT_FALSE(plan(snapshot(), projects(), schedule().closes + Policy{}.retention - 1s).purge);
    EXPECT_TRUE(plan(snapshot(), projects(), schedule().closes + Policy{}.retention).purge);
}

TEST(Plan, OptionsMatterUntilOpens)
{
    MeetingSnapshot meeting = snapshot();
    meeting.meeting->options.media_mode = "relayed";
    const Plan before = plan(meeting, projects(), schedule().opens - 1s);
    EXPECT_EQ(before.session, SessionStep::create);
    EXPECT_EQ(before.create_reason, "options_changed");
    const Plan at = plan(meeting, projects(), schedule().opens);
    EXPECT_EQ(at.session, SessionStep::keep);
    EXPECT_EQ(at.reason, "session_kept");
}

TEST(Plan, TheInstantOfAnEditCountsNotThatOfTheLook)
{
    const sys_seconds opens = schedule().opens;
    MeetingSnapshot meeting = snapshot();
    meeting.meeting->options.media_mode = "relayed";
    meeting.edited_early = true;
    for (const seconds late : {0s, 600s}) {
        const Plan before = plan(meeting, projects(), opens + late);
        EXPECT_EQ(before.session, SessionStep::create);
        EXPECT_EQ(before.create_reason, "options_changed");
        EXPECT_FALSE(before.edited_early);
    }
    meeting.meeting->project = "unknown"; // no session can be made there
    EXPECT_EQ(plan(meeting, projects(), opens).reason, "session_kept");
    meeting.meeting->project = "default";
    meeting.edited_early = false;
    EXPECT_EQ(plan(meeting, projects(), opens + 600s).reason, "session_kept");
}

TEST(Plan, ARemovalIsRememberedUntilItHasServedOrServesNothing)
{
    const auto settles = [](bool replaces, sys_seconds now, auto change) {
        Projects all = projects();
        for (auto& [name, project] : all.by_name)
            project.policy.replace_on_removal = replaces;
        all.certain = now;
        MeetingSnapshot meeting = snapshot();
        meeting.has_removals = meeting.removed_early = true;
        change(meeting, all);
        return plan(meeting, all, now).settle_removals;
    };
    const auto nothing = [](MeetingSnapshot&, Projects&) {};
    const auto nobody = [](MeetingSnapshot& meeting, Projects&) { meeting.participants.clear(); };
    const auto nobody_can_enter = [](MeetingSnapshot& meeting, Projects&) { meeting.removed_early = false; };
    for (const auto now : {schedule().opens - 1s, schedule().opens, schedule().closes - 1s}) {
        EXPECT_TRUE(settles(true, now, nothing));
        EXPECT_TRUE(settles(false, now, nothing));
        EXPECT_FALSE(settles(true, now, nobody));
        EXPECT_FALSE(settles(true, now, nobody_can_enter)); // the meeting may be moved back
        EXPECT_FALSE(settles(true, now, [](MeetingSnapshot& meeting, Projects&) { meeting.meeting.reset(); }));
        EXPECT_FALSE(settles(true, now, [](MeetingSnapshot& meeting, Projects&) { meeting.meeting->fault = "bad"; }));
        EXPECT_FALSE(settles(true, now, [](MeetingSnapshot& meeting, Projects&) { meeting.meeting->project = "typo"; })
        );
        EXPECT_TRUE(settles(true, now, [](MeetingSnapshot& meeting, Projects&) { meeting.meeting->cancelled = true; }));
        EXPECT_TRUE(settles(true, now, [](MeetingSnapshot& meeting, Projects&) { meeting.published->adopted = true; }));
        EXPECT_FALSE(settles(true, now, [](MeetingSnapshot& meeting, Projects&) { meeting.has_removals = false; }));
    }
    EXPECT_TRUE(settles(true, schedule().closes, nobody));
    EXPECT_FALSE(settles(true, schedule().closes, [](MeetingSnapshot&, Projects& all) { all.certain -= 1s; }));
}

/// Tokens of a session that was replaced serve nobody, also where nothing else can be done.
TEST(Plan, LeftoversGoWhateverElseBecomesOfTheMeeting)
{
    for (const std::string project : {"default", "unknown", "default, and its row is refused"})
        for (const bool has_leftovers : {false, true}) {
            MeetingSnapshot meeting = snapshot();
            meeting.meeting->project = project.substr(0, project.find(','));
            meeting.meeting->fault = meeting.meeting->project == project ? "" : "bad";
            meeting.has_leftovers = has_leftovers;
            const Plan planned = plan(meeting, projects(), schedule().opens - 1s);
            EXPECT_EQ(planned.delete_leftovers, has_leftovers) << project;
            EXPECT_TRUE(!has_leftovers || planned.has_work()) << project;
        }
}

TEST(Plan, AnUnknownProjectMattersUntilOpensWhereThereIsASession)
{
    MeetingSnapshot meeting = snapshot();
    meeting.meeting->project = "unknown";
    const Plan before = plan(meeting, projects(), schedule().opens - 1s);
    EXPECT_EQ(before.reason, "unknown_project");
    EXPECT_EQ(before.due, schedule().opens);
    EXPECT_EQ(plan(meeting, projects(), schedule().opens).reason, "session_kept");
    meeting.renew_session = Renewal::requested; // in vain: no other one can be made
    EXPECT_EQ(plan(meeting, projects(), schedule().opens).reason, "session_kept");
    meeting.published.reset();
    EXPECT_EQ(plan(meeting, projects(), schedule().opens - 1s).due, schedule().closes);
}

TEST(Plan, WhatIsPublishedOfAnUnknownProjectStaysWhileItIsTrue)
{
    const sys_seconds live = schedule().opens + 1s;
    MeetingSnapshot meeting = snapshot();
    meeting.meeting->project = "unknown";
    meeting.meeting->session_id = "room-1"; // so the session is of no use, though the meeting is live
    ParticipantRow& ann = meeting.participants[0];
    TokenRow token;
    token.role = ann.role;
    token.issued_at = live;
    token.expires_at = schedule().closes;
    token.key_id = "key";
    token.fingerprint = fingerprint_of(ann, "s", TokenFormat::jwt);
    ann.token = token;
    ASSERT_EQ(plan(meeting, projects(), live).reason, "unknown_project");
    EXPECT_EQ(plan(meeting, projects(), live).withdraw.size(), 0U);

    const auto withdrawn = [&](auto change) {
        MeetingSnapshot changed = meeting;
        change(changed.participants[0]);
        return plan(changed, projects(), live).withdraw.size();
    };
    EXPECT_EQ(withdrawn([](ParticipantRow& row) { row.connection_data = "new name"; }), 1U);
    EXPECT_EQ(withdrawn([](ParticipantRow& row) { row.role = Role::subscriber; }), 1U);
    EXPECT_EQ(withdrawn([](ParticipantRow& row) { row.blocked = true; }), 1U);
    EXPECT_EQ(withdrawn([](ParticipantRow& row) { row.present = false; }), 1U);
    EXPECT_EQ(withdrawn([](ParticipantRow& row) { row.token->expires_at += 1s; }), 1U);
    EXPECT_EQ(withdrawn([](ParticipantRow& row) { row.token->issued_at += 1s; }), 1U);
}

TEST(Plan, APersonWhoseRowIsTooLargeIsNotToldOfTheRoleThatNobodyRead)
{
    MeetingSnapshot meeting = snapshot();
    ParticipantRow& person = meeting.participants.emplace_back();
    person.id = "zoe";
    person.fault = "a value of the row has more than 1000000 bytes";
    person.unread = true;
    const Plan planned = plan(meeting, projects(), schedule().opens);
    ASSERT_EQ(planned.problems.size(), 1U);
    EXPECT_EQ(planned.problems[0].reason, "row_invalid");
    EXPECT_EQ(planned.problems[0].detail, person.fault);
}

TEST(Plan, RetentionOfADeletedMeetingIsCountedByAClockThatIsBelieved)
{
    MeetingSnapshot meeting = snapshot();
    meeting.meeting.reset();
    meeting.has_past = true;
    meeting.opens = schedule().opens;
    Projects known = projects();
    EXPECT_EQ(plan(meeting, known, starts).gone_at, starts);

    known.clock_believed = false;
    const Plan first = plan(meeting, known, starts - 40 * 24h);
    EXPECT_FALSE(first.gone_at);
    EXPECT_FALSE(first.purge);
    EXPECT_EQ(first.due, starts - 40 * 24h + 1h);
    meeting.gone_at = starts;
    EXPECT_EQ(plan(meeting, known, starts - 40 * 24h).gone_at, starts);
    known.clock_believed = true;
    EXPECT_EQ(plan(meeting, known, starts - 1h).gone_at, starts - 1h);
}

TEST(Plan, RotatesAtItsInstant)
{
    const Policy policy;
    MeetingSnapshot meeting = snapshot();
    meeting.meeting->ends_at = starts + std::chrono::days{5};
    meeting.policy_hash = projects().by_name.at("default").policy_hash;
    const sys_seconds issued = starts;
    const sys_seconds closes = starts + std::chrono::days{5} + 15min;
    TokenRow token;
    token.role = Role::publisher;
    token.issued_at = issued;
    token.expires_at = expiry_of(issued, closes, policy);
    token.key_id = "key";
    token.fingerprint = fingerprint_of(meeting.participants[0], "s", TokenFormat::jwt);
    meeting.participants[0].token = token;
    const auto rotation = rotation_of("m", token.expires_at, closes, policy);
    ASSERT_TRUE(rotation);
    EXPECT_LE(*rotation, token.expires_at - policy.rotation_margin);

    EXPECT_TRUE(plan(meeting, projects(), *rotation - 1s).sign.empty());
    EXPECT_EQ(plan(meeting, projects(), *rotation - 1s).due, *rotation);
    const Plan at = plan(meeting, projects(), *rotation);
    ASSERT_EQ(at.sign.size(), 1U);
    EXPECT_EQ(at.sign[0].reason, TokenReason::rotated);
    // One that lasts until the meeting closes is left alone.
    EXPECT_FALSE(rotation_of("m", closes, closes, policy));
    EXPECT_TRUE(rotation_of("m", closes - 1s, closes, policy));
}

/// The project's sessions come from the network; the last attempt for this one failed.
struct Order {
    Order()
    {
        known.by_name.at("default").network = true;
        meeting.published.reset();
        meeting.attempts = 2;
        meeting.failed_inputs = inputs_of(*meeting.meeting, known.by_name.at("default"));
        meeting.next_at = schedule().tokens_from + 10s;
        meeting.state = State::pending;
        meeting.reason = "provider_timeout";
        meeting.detail = "no answer";
    }

    Projects known = projects();
    MeetingSnapshot meeting = snapshot();
};

TEST(Plan, BlocksTheNetworkCallUntilItsTime)
{
    const Order order;

    const Plan before = plan(order.meeting, order.known, order.meeting.next_at - 1s);
    const Plan at = plan(order.meeting, order.known, order.meeting.next_at);

    EXPECT_EQ(before.session, SessionStep::order);
    EXPECT_TRUE(before.blocked);
    EXPECT_FALSE(before.has_work());
    EXPECT_EQ(before.due, order.meeting.next_at);
    EXPECT_EQ(before.reason, "provider_timeout");
    EXPECT_EQ(at.session, SessionStep::order);
    EXPECT_FALSE(at.blocked);
    EXPECT_TRUE(at.has_work());
}

TEST(Plan, AFailureCountsOnlyForWhatItWasFor)
{
    Order order;
    order.meeting.meeting->options.media_mode = "relayed";
    const Plan changed = plan(order.meeting, order.known, order.meeting.next_at - 1s);
    EXPECT_FALSE(changed.blocked);
    EXPECT_EQ(changed.reason, "session_ordered");

    Order other_key;
    other_key.known.by_name.at("default").key_id = "another";
    EXPECT_FALSE(plan(other_key.meeting, other_key.known, other_key.meeting.next_at - 1s).blocked);
}

TEST(Plan, AnOrderSaysWhyItsProviderIsNotAsked)
{
    Order order;
    order.meeting.attempts = 0;
    order.known.by_name.at("default").outage = Outage{State::failed, "credentials_refused", "the secret is wrong"};
    const Plan planned = plan(order.meeting, order.known, schedule().tokens_from);
    EXPECT_EQ(planned.state, State::failed);
    EXPECT_EQ(planned.reason, "credentials_refused");
    EXPECT_EQ(planned.detail, "the secret is wrong");
}

TEST(Plan, ThePublishedSessionServesUntilTheOrderedOneIsThere)
{
    Order order;
    order.meeting = snapshot();
    order.meeting.renew_session = Renewal::requested;
    const Plan planned = plan(order.meeting, order.known, schedule().tokens_from);
    EXPECT_EQ(planned.session, SessionStep::order);
    EXPECT_EQ(planned.project, "default");
    EXPECT_EQ(planned.sign.size(), plan(snapshot(), projects(), schedule().tokens_from).sign.size());
}

TEST(Schedule, SpreadsAreTheSameEverywhere)
{
    // A restart, another machine or another release must not move work.
    EXPECT_EQ(stable_hash(""), 0xcbf29ce484222325U);
    EXPECT_EQ(stable_hash("a"), 0xaf63dc4c8601ec8cU);
    EXPECT_EQ(spread("m", 1, 0s), 0s);
    EXPECT_EQ(spread("m", 1, 900s), spread("m", 1, 900s));
    for (int i = 0; i < 1000; ++i) {
        const seconds later = spread("meeting " + std::to_string(i), 2, 900s);
        EXPECT_GE(later, 0s);
        EXPECT_LE(later, 900s);
    }
}

/// A meeting of five days whose person holds a token that needs nothing at `starts`.
MeetingSnapshot served()
{
    MeetingSnapshot meeting = snapshot();
    meeting.meeting->ends_at = starts + std::chrono::days{5};
    meeting.policy_hash = projects().by_name.at("default").policy_hash;
    TokenRow token;
    token.role = Role::publisher;
    token.issued_at = starts - 10s;
    token.expires_at = token.issued_at + Policy{}.max_token_life;
    token.key_id = "key";
    token.fingerprint = fingerprint_of(meeting.participants[0], "s", TokenFormat::jwt);
    meeting.participants[0].token = token;
    return meeting;
}

struct Cause {
    char const* name;
    void (*change)(MeetingSnapshot&);
    std::optional<TokenReason> reason;

    friend void PrintTo(Cause const& cause, std::ostream* out) { *out << cause.name; }
};

class Causes : public testing::TestWithParam<Cause> {};

TEST_P(Causes, EachHasItsReason)
{
    MeetingSnapshot meeting = served();
    GetParam().change(meeting);
    const Plan planned = plan(meeting, projects(), starts);
    EXPECT_EQ(planned.session, SessionStep::keep);
    EXPECT_EQ(planned.state, State::ready);
    if (!GetParam().reason) {
        EXPECT_FALSE(planned.has_work());
        return;
    }
    ASSERT_EQ(planned.sign.size(), 1U);
    EXPECT_EQ(to_text(planned.sign[0].reason), to_text(*GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    Plan, Causes,
    testing::Values(
        Cause{"nothing", [](MeetingSnapshot&) {}, std::nullopt},
        Cause{"no_token", [](MeetingSnapshot& m) { m.participants[0].token.reset(); }, TokenReason::issued},
        Cause{"role", [](MeetingSnapshot& m) { m.participants[0].role = Role::moderator; }, TokenReason::role_changed},
        Cause{
            "role_unreadable", [](MeetingSnapshot& m) { m.participants[0].token->role.reset(); },
            TokenReason::role_changed},
        Cause{
            "connection_data", [](MeetingSnapshot& m) { m.participants[0].connection_data = "x"; },
            TokenReason::details_changed},
        Cause{
            "layout_classes", [](MeetingSnapshot& m) { m.participants[0].layout_classes = "x"; },
            TokenReason::details_changed},
        Cause{
            "format",
            [](MeetingSnapshot& m) {
                m.participants[0].token->fingerprint = fingerprint_of(m.participants[0], "s", TokenFormat::t1);
            },
            TokenReason::details_changed},
        Cause{"key", [](MeetingSnapshot& m) { m.participants[0].token->key_id = "old"; }, TokenReason::key_changed},
        Cause{
            "issued_now",
            [](MeetingSnapshot& m) {
                m.participants[0].token->issued_at += 10s;
                m.participants[0].token->expires_at += 10s;
            },
            std::nullopt},
        Cause{
            "issued_a_second_ahead",
            [](MeetingSnapshot& m) {
                m.participants[0].token->issued_at += 11s;
                m.participants[0].token->expires_at += 11s;
            },
            TokenReason::clock_changed},
        Cause{
            "ends_earlier", [](MeetingSnapshot& m) { m.meeting->ends_at = starts + 1h; },
            TokenReason::schedule_changed},
        Cause{
            "ends_later_than_the_token_lives",
            [](MeetingSnapshot& m) { m.meeting->ends_at = starts + std::chrono::days{9}; }, std::nullopt},
        Cause{
            "policy",
            [](MeetingSnapshot& m) {
                m.policy_hash = 1;
                m.participants[0].token->expires_at -= 1s;
            },
            TokenReason::policy_changed},
        Cause{"generation", [](MeetingSnapshot& m) { m.generation = 1; }, TokenReason::requested}
    ),
    testing::PrintToStringParamName{}
);

TEST(Fingerprint, TellsItsPartsApart)
{
    ParticipantRow one;
    one.connection_data = "ab";
    ParticipantRow other;
    other.connection_data = "a";
    other.layout_classes = "b";
    EXPECT_NE(fingerprint_of(one, "s", TokenFormat::jwt), fingerprint_of(other, "s", TokenFormat::jwt));
    EXPECT_NE(fingerprint_of(one, "s", TokenFormat::jwt), fingerprint_of(one, "t", TokenFormat::jwt));
}

TEST(Fingerprint, KnowsTheNameWhereTheFormatCarriesIt)
{
    static constexpr TokenFormatDeclaration with_person{.id = "jwt", .algorithms = {}, .carries_person = true};
    const TokenFormat format{with_person};
    ParticipantRow one;
    one.display_name = "Ann";
    ParticipantRow other;
    other.display_name = "Anna";

    EXPECT_NE(fingerprint_of(one, "s", format), fingerprint_of(other, "s", format));
    EXPECT_NE(fingerprint_of(ParticipantRow{}, "s", format), fingerprint_of(ParticipantRow{}, "s", TokenFormat::jwt));
    EXPECT_EQ(fingerprint_of(one, "s", TokenFormat::jwt), fingerprint_of(other, "s", TokenFormat::jwt));
    EXPECT_EQ(fingerprint_of(one, "s", TokenFormat::t1), fingerprint_of(other, "s", TokenFormat::t1));
}

TEST(Plan, ServesNobodyItCannotAndSaysWhy)
{
    MeetingSnapshot meeting = served();
    meeting.participants[0].role.reset();
    const Plan unknown = plan(meeting, projects(), starts);
    ASSERT_EQ(unknown.problems.size(), 1U);
    EXPECT_EQ(unknown.problems[0].reason, "unknown_role");
    EXPECT_EQ(unknown.withdraw, (std::vector<Withdrawal>{{0, WithdrawReason::not_served}}));
    EXPECT_EQ(unknown.reason, "participant_problems");
    EXPECT_EQ(unknown.detail, "1 of 1 participants cannot be served; each is listed with its reason");

    meeting = served();
    meeting.participants[0].problem = "unknown_role";
    EXPECT_EQ(plan(meeting, projects(), starts).solved, std::vector<std::size_t>{0});

    meeting = served();
    meeting.participants[0].present = false;
    EXPECT_EQ(plan(meeting, projects(), starts).withdraw.at(0).participant, 0U);
}

TEST(Plan, SaysWhomItCannotServeWhateverItsMeetingWaitsFor)
{
    MeetingSnapshot meeting = snapshot();
    meeting.participants[0].role.reset();
    const auto problems = [&](sys_seconds now) { return plan(meeting, projects(), now).problems.size(); };
    EXPECT_EQ(problems(starts), 1U);
    meeting.published.reset();
    EXPECT_EQ(problems(starts - 9 * 24h), 1U);
    meeting.meeting->project = "unknown";
    EXPECT_EQ(problems(starts), 1U);
    meeting.meeting->project = "default";
    meeting.meeting->session_id = "1_MX42NTQzMjF-fn4"; // of 654321
    EXPECT_EQ(plan(meeting, projects(), starts).reason, "session_of_another_project");
    EXPECT_EQ(problems(starts), 1U);
    meeting.participants[0].role = Role::publisher;
    meeting.participants[0].problem = "unknown_role";
    EXPECT_EQ(plan(meeting, projects(), starts).solved.size(), 1U);
}

TEST(Plan, ACancelledMeetingKeepsNothing)
{
    MeetingSnapshot meeting = served();
    meeting.meeting->cancelled = true;
    const Plan planned = plan(meeting, projects(), starts);
    EXPECT_EQ(planned.state, State::cancelled);
    EXPECT_EQ(planned.session, SessionStep::drop);
    EXPECT_TRUE(planned.delete_tokens.has_value());
    EXPECT_FALSE(planned.purge);
    EXPECT_EQ(planned.due, meeting.meeting->ends_at + 15min + Policy{}.retention);
}

TEST(Plan, AnOutageThatNeedsSomebodyIsToldToThoseThatFailedBefore)
{
    Projects all = projects();
    ProjectFacts& project = all.by_name.begin()->second;
    project.network = true;
    project.disconnects = true;
    MeetingSnapshot meeting = snapshot();
    meeting.published.reset();
    meeting.attempts = 1;
    meeting.failed_inputs = inputs_of(*meeting.meeting, project);
    const auto reason = [&](State recorded, State outage) {
        meeting.state = recorded;
        meeting.reason = "of_its_own";
        project.outage = Outage{outage, "of_all", "detail"};
        return plan(meeting, all, starts).reason;
    };
    EXPECT_EQ(reason(State::pending, State::pending), "of_its_own");
    EXPECT_EQ(reason(State::pending, State::failed), "of_all");
    EXPECT_EQ(reason(State::failed, State::failed), "of_its_own");
    EXPECT_EQ(reason(State::failed, State::pending), "of_its_own");
}

TEST(Disconnect, IsForACancellationOrAnEndAsThePolicySays)
{
    Projects all = projects();
    ProjectFacts& project = all.by_name.begin()->second;
    const auto why_not = [&](MeetingSnapshot const& meeting, sys_seconds now) {
        return why_not_disconnect(meeting, *snapshot().published, all, now).sentence;
    };
    const sys_seconds closes = schedule().closes;
    const MeetingSnapshot scheduled = snapshot();
    MeetingSnapshot cancelled = snapshot();
    cancelled.meeting->cancelled = true;
    MeetingSnapshot deleted = snapshot();
    deleted.meeting.reset();

    project.policy.disconnect_on_cancel = project.policy.disconnect_at_close = true;
    EXPECT_NE(why_not(cancelled, starts), ""); // sessions of the sandbox have nobody in them
    project.network = true;
    project.disconnects = true;
    EXPECT_EQ(why_not(cancelled, starts), "");
    EXPECT_EQ(why_not(deleted, starts), "");
    EXPECT_NE(why_not(scheduled, closes - 1s), "");
    EXPECT_EQ(why_not(scheduled, closes), "");
    EXPECT_NE(why_not(MeetingSnapshot{}, starts), "");

    project.policy.disconnect_on_cancel = false;
    EXPECT_NE(why_not(cancelled, starts), "");
    EXPECT_NE(why_not(deleted, starts), "");
    EXPECT_EQ(why_not(scheduled, closes), "");
    project.policy.disconnect_on_cancel = true;
    project.policy.disconnect_at_close = false;
    EXPECT_EQ(why_not(cancelled, starts), "");
    EXPECT_NE(why_not(scheduled, closes), "");

    project.project_key = "654321"; // what was made with another key is not this project's to end
    EXPECT_NE(why_not(cancelled, starts), "");
    all.by_name.clear();
    EXPECT_NE(why_not(cancelled, starts), "");
}

TEST(Disconnect, IsNeedlessOrCannotBeDone)
{
    Projects all = projects();
    ProjectFacts& project = all.by_name.begin()->second;
    project.network = project.disconnects = true;
    project.policy.disconnect_on_cancel = true;
    MeetingSnapshot cancelled = snapshot();
    cancelled.meeting->cancelled = true;
    const auto is_needless = [&](MeetingSnapshot const& meeting) {
        return why_not_disconnect(meeting, *snapshot().published, all, starts).is_needless;
    };
    EXPECT_TRUE(is_needless(snapshot())) << "it goes on";
    EXPECT_TRUE(is_needless(MeetingSnapshot{})) << "nobody knows of it";
    project.project_key = "654321";
    EXPECT_FALSE(is_needless(cancelled)) << "it was made with another key";
    all.by_name.clear();
    EXPECT_FALSE(is_needless(cancelled)) << "its project is gone";
}

/// The snapshot has the tokens of the staged session; nobody knows of those that are published.
TEST(Plan, WhatIsPublishedBesideAStagedSessionIsWithdrawnWithTheMeeting)
{
    MeetingSnapshot meeting = snapshot();
    const sys_seconds closes = schedule().closes;
    EXPECT_EQ(plan(meeting, projects(), closes).delete_tokens, std::nullopt) << "there are none";
    meeting.staged = meeting.published;
    meeting.staged->number = SessionNo{2};
    EXPECT_EQ(plan(meeting, projects(), closes - 1s).delete_tokens, std::nullopt);
    EXPECT_EQ(plan(meeting, projects(), closes).delete_tokens, WithdrawReason::ended);
    meeting.meeting->cancelled = true;
    EXPECT_EQ(plan(meeting, projects(), closes - 1s).delete_tokens, WithdrawReason::cancelled);
    meeting.meeting.reset();
    meeting.opens = schedule().opens;
    EXPECT_EQ(plan(meeting, projects(), closes - 1s).delete_tokens, WithdrawReason::deleted);
}

TEST(Plan, APauseThatAClockAheadHasWrittenIsNotKept)
{
    MeetingSnapshot meeting = snapshot();
    meeting.published.reset();
    Projects known = projects();
    known.by_name.at("default").network = true;
    const sys_seconds now = starts - 30min;
    meeting.failed_inputs = inputs_of(*meeting.meeting, known.by_name.at("default"));
    meeting.attempts = 2;
    meeting.next_at = now + 1s;
    meeting.settled_at = now;
    EXPECT_TRUE(plan(meeting, known, now).blocked);
    EXPECT_FALSE(plan(meeting, known, now + 1s).blocked);
    meeting.settled_at = now + 1s; // the clock was put back since
    EXPECT_FALSE(plan(meeting, known, now).blocked);
    meeting.settled_at = now;
    meeting.next_at = now + 24h;
    EXPECT_TRUE(plan(meeting, known, now).blocked);
    meeting.next_at = now + 24h + 1s;
    EXPECT_FALSE(plan(meeting, known, now).blocked);
}

} // namespace
} // namespace usher
