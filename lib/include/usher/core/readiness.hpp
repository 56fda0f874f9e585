// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <usher/core/meeting.hpp>
#include <usher/core/plan.hpp>
#include <usher/core/time.hpp>

namespace usher {

/// What is to be there for a meeting at an instant.
enum class Wanted : std::uint8_t { nothing, session, session_and_tokens };

Wanted wanted_at(Schedule const& schedule, sys_seconds now);

/// A meeting in one word: the first that fits. Everything that speaks of readiness uses these words and no others.
enum class Word : std::uint8_t {
    ended,
    cancelled,   ///< Or deleted.
    failed,      ///< It needs somebody: usher cannot cure it.
    ready,       ///< Everybody who can be served has a working token, shown or behind their door.
    at_risk,     ///< Not ready though wanted for `ready_within` or longer, or while nobody is at work.
    on_schedule, ///< The rest: wanted later, or only just.
};

inline constexpr std::size_t word_count = 6;

/// `at risk`, as sentences have it.
std::string_view to_text(Word word);
/// `at_risk`, as JSON and labels of metrics have it.
std::string_view json_name(Word word);

inline constexpr seconds ready_within{60};    ///< usher has this long to make ready what has become wanted.
inline constexpr seconds absent_after{150};   ///< A daemon that has not looked for this long is not at work.
inline constexpr seconds near_door{1800};     ///< What opens within this time has no time to wait for.
inline constexpr seconds verdict_span{86400}; ///< A failed meeting that opens later does not make the verdict.

/// What the word for one meeting is made from.
struct MeetingFacts {
    State state = State::pending; ///< As usher last recorded it.
    bool exists = true;           ///< The meeting's own row is there.
    bool cancelled = false;       ///< It says so.
    std::optional<sys_seconds> opens;
    std::optional<sys_seconds> closes;
    bool served = false; ///< There is a session, and everybody who can be served has a working token.
    bool wanted = false; ///< Its session or its tokens are.
    std::optional<sys_seconds> wanted_since; ///< Empty where no row tells.
};

Word word_of(MeetingFacts const& facts, bool at_work, sys_seconds now);

/// Whether a meeting is wanted and not ready, however short: what a pass that has just ended has to explain.
bool wanted_and_not_ready(MeetingFacts const& facts, sys_seconds now);

/// Whether a meeting by itself makes the verdict over all worse; see verdict_of().
bool makes_verdict(MeetingFacts const& facts, sys_seconds now);

/// Whether it can be joined now, by somebody.
bool is_live(MeetingFacts const& facts, sys_seconds now);

/// Who looks after the database.
enum class DaemonState : std::uint8_t { at_work, hung, stopped, never_ran };

/// What is known of the process that the daemon's row names.
enum class ProcessState : std::uint8_t { runs, gone, unknown };

DaemonState daemon_state(bool ever_ran, sys_seconds looked_at, ProcessState process, sys_seconds now);

enum class Verdict : std::uint8_t { all_well, at_risk, failing };

/// `All well`, `At risk`, `Failing`.
std::string_view to_text(Verdict verdict);
/// `all_well`, likewise for JSON.
std::string_view json_name(Verdict verdict);

/// What the verdict over all meetings is made from.
struct VerdictFacts {
    bool damaged = false;            ///< The contract in the database is.
    std::size_t failed_near = 0;     ///< Meetings that have failed, and are live or open within `verdict_span`.
    std::size_t at_risk = 0;         ///< Meetings.
    std::size_t people_unserved = 0; ///< Of meetings that are neither over nor cancelled.
    bool at_work = true;
};

Verdict verdict_of(VerdictFacts const& facts);

} // namespace usher
