// SPDX-License-Identifier: Apache-2.0
// Each kind of violation is found where it is planted, alone.
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <usher/core/promises.hpp>

namespace usher {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds starts{1'800'000'000s};
constexpr sys_seconds closes = starts + std::chrono::days{5} + 15min;

Projects projects()
{
    Projects result;
    ProjectFacts facts;
    facts.name = "default";
    facts.provider = "sandbox";
    facts.project_key = "123456";
    facts.key_id = "key";
    result.by_name.emplace(facts.name, facts);
    return result;
}

/// A meeting of five days that keeps every promise at `starts`.
MeetingEvidence evidence()
{
    MeetingEvidence result;
    MeetingSnapshot& meeting = result.meeting;
    meeting.id = "m";
    meeting.meeting = MeetingRow{starts, starts + std::chrono::days{5}, false, "default", {}};
    meeting.opens = starts - 15min;
    meeting.closes = closes;
    meeting.state = State::ready;
    meeting.published = SessionRow{SessionNo{1}, "s", "sandbox", "default", "123456", to_text(SessionOptions{})};
    ParticipantRow ann;
    ann.id = "ann";
    ann.role = Role::publisher;
    TokenRow token;
    token.role = Role::publisher;
    token.issued_at = starts;
    token.expires_at = starts + 24h;
    token.key_id = "key";
    token.fingerprint = fingerprint_of(ann, "s", TokenFormat::jwt);
    ann.token = token;
    meeting.participants.push_back(ann);
    result.published.push_back({"ann", "default", "123456", "s", "text", "publisher", starts, starts + 24h});
    return result;
}

/// One violation a line.
std::string found(MeetingEvidence const& planted, sys_seconds now)
{
    const SignatureCheck verify = [](std::string_view, Credential const& credential) -> Result<void> {
        if (credential.token != "text")
            return fail(Errc::signature_mismatch, "bears another key's signature");
        return {};
    };
    std::string lines;
    for (Violation const& violation : check_promises(planted, projects(), verify, now)) {
        EXPECT_EQ(violation.meeting_id, "m");
        lines += violation.promise + ": " + violation.what + "\n";
    }
    return lines;
}

struct Planted {
    char const* name;
    void (*plant)(MeetingEvidence&);
    char const* settled;   ///< What is found in a settled meeting.
    char const* while_due; ///< And in one that waits for its pass.
};

TEST(CheckPromises, NothingIsShownBeforeTheDoorWherePolicySaysSo)
{
    MeetingEvidence hidden = evidence();
    hidden.published.clear();
    Projects shown_at_door = projects();
    Policy& policy = shown_at_door.by_name.at("default").policy;
    policy.visible_at_opens = true;
    policy.early_join.set(Role::publisher, 5min);
    const SignatureCheck verify = [](std::string_view, Credential const&) -> Result<void> { return {}; };
    EXPECT_EQ(check_promises(hidden, shown_at_door, verify, starts - 5min - 1s).size(), 0U);
    EXPECT_EQ(check_promises(hidden, shown_at_door, verify, starts - 5min).size(), 1U);
    EXPECT_EQ(check_promises(hidden, projects(), verify, starts - 5min - 1s).size(), 1U) << "shown at all times";
}

TEST(CheckPromises, ARefusedRowIsToldOfAndItsNumbersAreNotCountedWith)
{
    MeetingEvidence hostile = evidence();
    hostile.meeting.meeting->fault = "early_join is below 0";
    hostile.meeting.meeting->early_join = std::chrono::seconds::min();
    hostile.published.clear();
    EXPECT_EQ(
        found(hostile, starts),
        "P13: has a row that the contract would refuse and is not told so: early_join is below 0\n"
    );
}

TEST(CheckPromises, FindsEachViolationAndNoOther)
{
    for (Planted const& planted : {
             Planted{"nothing", [](MeetingEvidence&) {}, "", ""},
             Planted{
                 "cancelled", [](MeetingEvidence& e) { e.meeting.meeting->cancelled = true; },
                 "P5: the token of ann is published though the meeting is cancelled or gone\n",
                 "P5: the token of ann is published though the meeting is cancelled or gone\n"},
             Planted{
                 "deleted", [](MeetingEvidence& e) { e.meeting.meeting.reset(); },
                 "P5: the token of ann is published though the meeting is cancelled or gone\n",
                 "P5: the token of ann is published though the meeting is cancelled or gone\n"},
             Planted{
                 "participant gone", [](MeetingEvidence& e) { e.meeting.participants[0].present = false; },
                 "P5: the token of ann is published though the participant is gone\n",
                 "P5: the token of ann is published though the participant is gone\n"},
             Planted{
                 "another role", [](MeetingEvidence& e) { e.published[0].role = "moderator"; },
                 "P5: the token of ann is published with another role than the participant's\n",
                 "P5: the token of ann is published with another role than the participant's\n"},
             Planted{
                 "another session", [](MeetingEvidence& e) { e.meeting.published->session_id = "t"; },
                 "P4: the token of ann is for another session than the published one\n",
                 "P4: the token of ann is for another session than the published one\n"},
             Planted{
                 "forged", [](MeetingEvidence& e) { e.published[0].token = "forged"; },
                 "P1: the token of ann bears another key's signature\n",
                 "P1: the token of ann bears another key's signature\n"},
             Planted{
                 "twice", [](MeetingEvidence& e) { e.published.push_back(e.published[0]); },
                 "P1: ann has more than one published token\n", "P1: ann has more than one published token\n"},
             Planted{
                 "from the future", [](MeetingEvidence& e) { e.published[0].issued_at = starts + 1s; },
                 "P1: the token of ann was issued in the future\n", ""},
             Planted{
                 "expired",
                 [](MeetingEvidence& e) {
                     e.published[0].issued_at = starts - 1h;
                     e.published[0].expires_at = starts;
                 },
                 "P1: the token of ann is expired\n"
                 "P3: the token of ann has less than the rotation margin left\n",
                 ""},
             Planted{
                 "lives too long", [](MeetingEvidence& e) { e.published[0].issued_at = starts - 1s; },
                 "P2: the token of ann lives longer than the project's tokens may\n", ""},
             Planted{
                 "lives for 30 days", [](MeetingEvidence& e) { e.published[0].issued_at -= std::chrono::days{29}; },
                 "P2: the token of ann lives for 30 days or more\n"
                 "P2: the token of ann lives longer than the project's tokens may\n",
                 ""},
             Planted{
                 "outlives the meeting", [](MeetingEvidence& e) { e.meeting.closes = starts + 24h - 1s; },
                 "P2: the token of ann expires after the meeting closes\n", ""},
             Planted{
                 "other details", [](MeetingEvidence& e) { e.meeting.participants[0].connection_data = "x"; },
                 "P1: the token of ann does not carry the participant's current details\n", ""},
             Planted{
                 "no token", [](MeetingEvidence& e) { e.published.clear(); },
                 "P1: ann has no published token and no reason\n", ""},
             Planted{
                 "no token, with a reason",
                 [](MeetingEvidence& e) {
                     e.published.clear();
                     e.meeting.participants[0].problem = "unknown_role";
                 },
                 "", ""},
             Planted{
                 "no session",
                 [](MeetingEvidence& e) {
                     e.meeting.published.reset();
                     e.meeting.participants.clear();
                     e.published.clear();
                 },
                 "P1: has no published session though its tokens are wanted\n", ""},
             Planted{
                 "waiting", [](MeetingEvidence& e) { e.meeting.state = State::waiting; },
                 "P8: has tokens and is waiting\n", ""},
             Planted{
                 "failed", [](MeetingEvidence& e) { e.meeting.state = State::failed; },
                 "P8: is not ready and does not say why\n", ""},
             Planted{
                 "failed, with a reason only",
                 [](MeetingEvidence& e) {
                     e.meeting.state = State::failed;
                     e.meeting.reason = "x";
                 },
                 "P8: is not ready and does not say why\n", ""},
             Planted{
                 "failed, explained",
                 [](MeetingEvidence& e) {
                     e.meeting.state = State::failed;
                     e.meeting.reason = "x";
                     e.meeting.detail = "y";
                 },
                 "", ""},
         }) {
        SCOPED_TRACE(planted.name);
        MeetingEvidence seen = evidence();
        planted.plant(seen);
        EXPECT_EQ(found(seen, starts), planted.settled);
        seen.due = true;
        EXPECT_EQ(found(seen, starts), planted.while_due);
    }
}

TEST(CheckPromises, TheMarginIsKeptToTheSecond)
{
    const sys_seconds last = starts + 24h - Policy{}.rotation_margin;
    EXPECT_EQ(found(evidence(), last), "");
    EXPECT_EQ(found(evidence(), last + 1s), "P3: the token of ann has less than the rotation margin left\n");
    // One that lasts until the meeting closes needs no margin.
    MeetingEvidence outlives = evidence();
    outlives.meeting.closes = starts + 24h;
    EXPECT_EQ(found(outlives, last + 1s), "");
}

TEST(CheckPromises, OnlyWhoCannotBeSignedForIsExcusedFromTheMargin)
{
    const sys_seconds late = starts + 24h - Policy{}.rotation_margin + 1s;
    const std::string violation = "P3: the token of ann has less than the rotation margin left\n";
    for (auto const& [reason, expected] : {
             std::pair<std::string, std::string>{"unknown_project", ""},
             {"row_invalid", ""},
             {"unreachable", violation},
         }) {
        MeetingEvidence failed = evidence();
        failed.meeting.state = State::failed;
        failed.meeting.reason = reason;
        failed.meeting.detail = "why";
        EXPECT_EQ(found(failed, late), expected) << reason;
    }
}

TEST(CheckPromises, NothingIsOwedBeforeTokensAreWantedNorAfterTheMeetingCloses)
{
    MeetingEvidence empty = evidence();
    empty.published.clear();
    const sys_seconds wanted =
        schedule_of("m", MeetingRow{starts, starts + std::chrono::days{5}}, Policy{}).tokens_from;
    const std::string owed = "P1: ann has no published token and no reason\n";
    EXPECT_EQ(found(empty, wanted - 1s), "");
    EXPECT_EQ(found(empty, wanted), owed);
    EXPECT_EQ(found(empty, closes - 1s), owed);
    EXPECT_EQ(found(empty, closes), "");
}

} // namespace
} // namespace usher
