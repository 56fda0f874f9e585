// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <usher/core/time.hpp>

namespace usher {

struct MeetingSnapshot;
struct Plan;

/// What a row of `request` asks for.
enum class RequestAction : std::uint8_t {
    rotate,          ///< Tokens are signed anew.
    replace_session, ///< A new session, with new tokens.
    retry,           ///< What failed is tried again at once.
};

std::string_view to_text(RequestAction action);
std::optional<RequestAction> parse_request_action(std::string_view text);

/// How far a request is, as `request_status` says it.
enum class RequestState : std::uint8_t { filed, running, done, refused, aborted };

std::string_view to_text(RequestState state);

/// What a request is for: exactly one of the two. Project `*` is all projects.
struct RequestScope {
    std::optional<std::string> meeting;
    std::optional<std::string> project;
};

/// Why a request cannot be done whatever meetings there are, or nothing. The contract's CHECKs refuse such a row,
/// unless somebody rebuilt the table without them.
std::optional<std::string> why_invalid(std::string_view action, RequestScope const& scope);

/// A request's work on the meetings that it names. Equal requests that were filed before the work began share it.
/// Numbers ascend, so a token of generation N was signed for work N or a later one.
enum class WorkNo : std::int64_t {};

/// Work that has marked a meeting which has not been served for it yet.
struct OpenWork {
    WorkNo number{};
    std::optional<RequestAction>
        action;          ///< Empty once nobody asks for it any more: the request was aborted or deleted.
    sys_seconds since{}; ///< When the work began.

    friend bool operator==(OpenWork const&, OpenWork const&) = default;
};

/// So much open work of one meeting is read at once.
inline constexpr std::size_t open_work_max = 1000;

/// The generation that a meeting's tokens must have: of the newest rotation among `open`, or else `settled`.
std::int64_t wanted_generation(std::span<OpenWork const> open, std::int64_t settled);

/// Whether somebody asks for a new session.
bool wants_session(std::span<OpenWork const> open);

/// How a publication of `Plan` ended.
struct PublishOutcome {
    bool intact = true;     ///< The rows are as they were read, and all of the plan was done.
    bool publishes = false; ///< A new session was published.
};

/// A retry waits for this long for a provider that is not asked at present.
inline constexpr seconds retry_patience{15};

/// Whether `meeting`, which was read with `work` among its open work, has been served once `plan` is published.
bool is_served(
    OpenWork const& work, MeetingSnapshot const& meeting, Plan const& plan, PublishOutcome outcome, sys_seconds now
);

/// The newest rotation that `meeting` has been served for once `plan` is published, or 0.
std::int64_t
settled_generation(MeetingSnapshot const& meeting, Plan const& plan, PublishOutcome outcome, sys_seconds now);

/// When to look at `meeting` again for work that nothing else will end, or nothing.
std::optional<sys_seconds> look_again(MeetingSnapshot const& meeting, Plan const& plan, sys_seconds now);

/// Work for many meetings goes through them twice: first for those that are live or open soon, then for all others.
enum class MarkPass : std::uint8_t { near = 0, rest = 1 };

/// What decides whether a meeting is marked.
struct MarkFacts {
    bool settled = false; ///< Its row is not due.
    bool over = false;    ///< Its state is cancelled or ended: there is nothing to replace.
    bool failing = false; ///< Its state is pending or failed, or calls for it failed.
    bool marked = false;  ///< By the first pass of this work.
    std::optional<sys_seconds> opens;
    std::optional<sys_seconds> closes;
};

bool is_marked(RequestAction action, MarkPass pass, MarkFacts const& facts, sys_seconds now);

/// What a request has brought about.
struct RequestCounts {
    std::int64_t meetings = 0; ///< Marked.
    std::int64_t served = 0;   ///< Of these.
    std::int64_t renewed = 0;  ///< Of these, with new tokens or a new session.
    std::int64_t sessions = 0; ///< New ones.
    std::int64_t tokens = 0;   ///< Likewise.

    friend bool operator==(RequestCounts const&, RequestCounts const&) = default;
};

/// All are marked, and all of them served.
inline bool is_done(RequestCounts const& counts, bool all_marked)
{
    return all_marked && counts.served >= counts.meetings;
}

/// `2 meetings looked at, 1 session replaced, 4 tokens signed`.
std::string to_text(RequestCounts const& counts);

} // namespace usher
