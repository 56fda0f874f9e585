// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/async/clock.hpp>
#include <usher/async/wakeup.hpp>
#include <usher/core/certain_time.hpp>
#include <usher/core/plan.hpp>
#include <usher/core/promises.hpp>
#include <usher/service/batch.hpp>
#include <usher/service/metrics.hpp>
#include <usher/service/project.hpp>
#include <usher/service/random.hpp>
#include <usher/service/readers.hpp>
#include <usher/service/session_maker.hpp>
#include <usher/service/set_aside.hpp>
#include <usher/service/suspects.hpp>
#include <usher/service/sweep.hpp>
#include <usher/service/workers.hpp>
#include <usher/store/store.hpp>

namespace usher {

struct ProvisioningSettings {
    Policy base;                         ///< For meetings whose project is not configured.
    std::size_t meetings_max = 512;      ///< In one batch.
    std::size_t participants_max = 4096; ///< In one batch, a single larger meeting aside.
    std::optional<ClockRecord> clock{};  ///< From the start; without one the clock is believed at once.
};

/// What a pass did.
struct PassResult {
    std::size_t looked_at = 0;
    bool urgent = false; ///< Meetings that are live or about to open were among them.
    PublishCounts published;
    bool more = false; ///< Something was done, so there may be more to do now.

    PassResult& operator+=(PassResult const& other);
};

/// Due meetings in, published tokens out. A batch of meetings is read, planned and signed by the workers, while the
/// batch before it is published here; the store is written to by one thread alone. Sessions that need the network are
/// ordered from `maker`, and published by a later pass.
class Provisioner {
public:
    /// `executor` is where all members are called; `workers` may be the same.
    Provisioner(
        Store& store, Clock& clock, RandomSource& random, SessionMaker& maker, boost::asio::any_io_executor executor,
        Workers workers, std::vector<Project> projects, ProvisioningSettings settings
    );
    ~Provisioner();

    /// What it does is counted in `metrics` from now on, and each piece of work that is done is told of.
    void watch(Metrics& metrics, std::function<void()> progressed);

    /// One batch. Errors: those of Store; nothing is lost then but the work, since the rows are due still.
    boost::asio::awaitable<PassResult> pass();

    /// Passes until nothing is due or a stop is requested.
    boost::asio::awaitable<PassResult> settle();

    /// Takes a new configuration; find_stale() finds what it changes. Not while a pass runs.
    void configure(std::vector<Project> projects, ProvisioningSettings settings);

    /// What a start and another configuration need, and quick: inspects the schema, and finds meetings that were
    /// planned under another configuration.
    boost::asio::awaitable<void> find_stale();

    /// Puts back what others took from the schema, as far as that may be done beside platforms, and logs the rest.
    boost::asio::awaitable<void> inspect_schema();
    /// As the last inspection left it.
    std::vector<Damage> const& damages() const { return inspection_.state.damages; }
    /// The instant from which on find_stale() may put back more, if there is something.
    std::optional<std::chrono::steady_clock::time_point> inspect_again_at() const;

    /// Compares all rows in chunks, beside the passes. start_sweep() begins it, while no pass is under way;
    /// sweep() does one chunk and returns whether there is more to do. What a pass publishes meanwhile needs no
    /// comparison.
    void start_sweep();
    boost::asio::awaitable<bool> sweep();

    /// How long to wait at least, since the rows of meetings that are set aside say that they are due. Else zero.
    std::chrono::steady_clock::duration rest() const;

    /// Whether a sweep is needed: rows were found that only a sweep can mend, or older rows came back. Asking resets
    /// it.
    bool take_sweep_wish();

    /// Ends settle() after the transaction in hand.
    void request_stop()
    {
        stopping_ = true;
        store_.request_stop();
    }

    /// Ends the settle() under way after the batch in hand: something else is to be done before the next batch.
    void request_pause() { pausing_ = true; }

    Projects const& projects() const { return projects_; }
    /// Records that a daemon has looked, where nothing was to be published, and what time it is for certain.
    boost::asio::awaitable<void> beat();
    /// Puts back the rows of `door`: without them the views show nobody's token.
    boost::asio::awaitable<void> keep_doors();
    /// Whether a published token is signed by its project and says what its row says: session, role, times, key.
    Result<void> check_signature(std::string_view project, Credential const& credential) const;

private:
    Projects known_projects(sys_seconds now);
    DueMeetings next_meetings(sys_seconds now);
    Batch& add_batch(std::unique_ptr<Batch> batch, bool urgent);
    bool start_batch();
    boost::asio::awaitable<PassResult> run(std::size_t batches, bool once);
    boost::asio::awaitable<bool> advance_requests();
    boost::asio::awaitable<PassResult> finish_batch();
    boost::asio::awaitable<PublishCounts> publish(Batch& batch);
    static void say_plans(Batch const& batch);
    void count_signed(Batch& batch);
    void count(Batch& batch, Published const& published);
    void count_discarded(Batch& batch, DiscardReason why);
    void adapt(Batch const& batch);
    void note_looks(Batch const& batch);
    void note_concern();
    void note_damage(std::string const& reason);

    Store& store_;
    Clock& clock_;
    SessionMaker& maker_;
    Metrics* metrics_ = nullptr;
    std::function<void()> progressed_ = [] {};
    boost::asio::any_io_executor executor_;
    Workers workers_;
    ProjectsByName by_name_;
    Projects projects_;
    ProvisioningSettings settings_;
    CertainTime certain_;
    bool stopping_ = false;
    bool pausing_ = false;
    bool has_swept_ = false; ///< Once, since the start.
    bool is_damage_told_ = false;
    bool is_concerned_ = false;                         ///< About the store.
    Inspection inspection_;                             ///< The last one,
    std::chrono::steady_clock::time_point inspected_{}; ///< and when it was.

    std::deque<std::unique_ptr<Batch>> batches_; ///< In hand, in the order in which they are published.
    Readers readers_;
    std::set<MeetingNo> in_hand_;
    SetAside set_aside_;
    bool sweep_wish_ = false;
    Preparer preparer_;
    Wakeup prepared_;
    Suspects suspects_;
    Sweep sweep_;

    std::size_t batch_meetings_ = 8;                   ///< Adapts to how many participants they have,
    std::size_t batch_participants_ = 1024;            ///< and these to how long a batch takes.
    std::chrono::steady_clock::time_point finished_{}; ///< When the last batch was.
};

} // namespace usher
