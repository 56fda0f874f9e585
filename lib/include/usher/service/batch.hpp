// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include <usher/core/plan.hpp>
#include <usher/service/project.hpp>
#include <usher/service/random.hpp>
#include <usher/service/workers.hpp>
#include <usher/store/store.hpp>

namespace usher {

/// Meetings on their way from the rows to the view.
struct Batch {
    explicit Batch(std::shared_ptr<StoreReader> with) : reader{std::move(with)} {}

    std::shared_ptr<StoreReader> reader;
    std::vector<MeetingNo> wanted;
    std::vector<MeetingNo> unread; ///< Of these, what would have been too much.
    std::vector<MeetingNo> unreadable;
    std::vector<std::pair<MeetingNo, std::string>> damaged; ///< With the reason.
    std::size_t participants_max = 0;
    bool urgent = false;      ///< Some of the meetings are live or about to open.
    bool keeps_place = false; ///< Urgent, or overtaken once.
    std::chrono::steady_clock::time_point started;
    Seen seen; ///< Before they were read.
    sys_seconds now;
    Projects projects;

    // These have one entry for each meeting, in order of need.
    std::vector<MeetingSnapshot> meetings;
    std::vector<Plan> plans;
    std::vector<std::optional<SessionRow>> sessions; ///< What tokens are signed for.
    std::vector<std::vector<SignedToken>> tokens;

    /// Signed tokens of which the metrics do not know yet what becomes of them, by project.
    std::map<std::string, std::size_t, std::less<>> in_hand;
    std::chrono::steady_clock::time_point prepared; ///< When it was done.
    bool done = false;
    std::exception_ptr error;
};

/// Whether nothing is to be written, not even the state and times that its row shows.
bool is_as_planned(MeetingSnapshot const& meeting, Plan const& planned);

/// Does what needs no write: reads the meetings of a batch, plans them, finds or makes their sessions, and signs their
/// tokens. It runs on the workers, and several batches may be prepared at once.
class Preparer {
public:
    /// `projects` must not change while a batch is prepared.
    Preparer(RandomSource& random, Workers workers, ProjectsByName const& projects)
        : random_{random}, workers_{std::move(workers)}, projects_{projects}
    {}

    /// Starts from what the caller put into the batch: `wanted`, `participants_max`, `now`, `projects`.
    boost::asio::awaitable<void> prepare(Batch& batch);

private:
    boost::asio::awaitable<void> make_sessions(Batch& batch);
    void sign(Batch& batch);

    RandomSource& random_;
    Workers workers_;
    ProjectsByName const& projects_;
    std::atomic<std::uint64_t> serial_ = 0; ///< Of sessions that are made here.
};

} // namespace usher
