// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <usher/core/request.hpp>
#include <usher/core/time.hpp>
#include <usher/store/database.hpp>

namespace usher {

/// What a request would find now, among meetings that are scheduled and not over.
struct RequestExtent {
    std::int64_t meetings = 0;
    std::int64_t sessions = 0;        ///< That are published.
    std::int64_t live = 0;            ///< Of these, of meetings that can be joined now.
    std::int64_t people = 0;          ///< Of the live ones.
    std::int64_t tokens = 0;          ///< That are published.
    std::int64_t token_meetings = 0;  ///< That have any.
    std::vector<std::string> failing; ///< Meetings whose state is pending or failed.
};

/// A row of `request_status`, with what usherctl needs besides.
struct RequestReport {
    std::int64_t number = 0; ///< usher's own, which is never given again; 0 before it is on record.
    std::int64_t id = 0;
    std::string action;
    RequestScope scope;
    std::string requested_by;
    sys_seconds requested_at{};
    std::string state; ///< filed (no daemon has seen it), running, done, refused, aborted
    bool all_marked = false;
    RequestCounts counts;
    std::string detail;
    std::optional<sys_seconds> done_at;

    bool open() const { return state.empty() || state == "filed" || state == "running"; }
};

/// What platforms and operators do with requests. Errors: DatabaseError, DatabaseBusy.
class RequestDesk {
public:
    explicit RequestDesk(std::string const& path, bool writes);
    RequestDesk(RequestDesk&&) noexcept;
    RequestDesk& operator=(RequestDesk&&) noexcept;
    ~RequestDesk();

    bool knows_meeting(std::string const& id) const;
    bool knows_project(std::string const& name) const; ///< Some meeting is in it.
    /// For a name that is not known: what there is.
    std::vector<std::string> meetings() const;
    std::vector<std::string> projects() const;

    RequestExtent extent(RequestScope const& scope, sys_seconds now) const;

    RequestReport file(RequestAction action, RequestScope const& scope, std::string const& by);
    /// By its own number; nothing once its row is deleted.
    std::optional<RequestReport> read(std::int64_t number) const;
    std::optional<RequestReport> find(std::int64_t id) const;
    std::vector<RequestReport> open() const; ///< By id.

    /// From now on nothing is done for it any more. How it stood before; nothing when it is not open.
    std::optional<RequestReport> abort(std::int64_t id, std::string const& by, sys_seconds now);
    /// Whether equal requests share the work of `report` and go on.
    bool has_company(RequestReport const& report) const;

    /// Meetings that can be joined now and have not been served for it yet.
    bool live_left(RequestReport const& report, sys_seconds now) const;

    /// When a daemon last looked; nothing when none ever did.
    std::optional<sys_seconds> looked_at() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace usher
