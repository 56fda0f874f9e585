// SPDX-License-Identifier: Apache-2.0
#include <usher/store/sqlite/store_writer.hpp>

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "connection.hpp"
#include "file_health.hpp"

namespace usher {

namespace {

using namespace std::chrono_literals;
using Duration = StoreWriter::Duration;

// The write lock is held for at most 10 ms. Slices aim lower, so that a slow commit stays below.
constexpr Duration lock_goal = 6500us;
constexpr Duration warm_up_time = 2ms; // what that takes, in the gap between two slices
// How long each thing takes the lock, in halves of a token that is stored for the first time.
constexpr std::size_t token_weight = 2;
constexpr std::size_t replaced_weight = 1; // more, where the one before is kept as past
constexpr std::size_t doubted_weight = 1;  // more, where it is looked at again
constexpr std::size_t delete_weight = 3;   // a token that goes, and is kept as past
constexpr std::size_t meeting_weight = 6;  // a meeting's own rows
constexpr std::size_t deletes_min = 64;    // in a slice
constexpr int request_steps = 4;           // between two batches
constexpr int turns_max = 100;             // that others may take before the lock is taken all the same
constexpr Duration others_turn = 1ms;
// From 1000 pages on a platform's own commits would move them, and take longer; beside a platform the WAL stays
// smaller.
constexpr int log_pages_max = 3500;
constexpr int log_pages_max_beside_a_writer = 700; // and then comes one slice more
// While somebody reads in the WAL it cannot start anew. Up to this size it slows nobody down.
constexpr int log_pages_held_max = 4 * (held_log_bytes / page_size);
constexpr int log_pages_worth_moving = 32; // near the end: then little is left for in between
constexpr int restart_tries = 50;
constexpr Duration restart_pause = 1ms;
constexpr Duration held_pause = 50ms; // for one that stays
constexpr Duration reader_stays = 2s; // and is no longer one of those who come and go
constexpr auto long_wait = 1h;

std::size_t weight_of(MeetingSnapshot const& meeting, SignedToken const& token, bool in_doubt)
{
    return token_weight + (meeting.participants[token.participant].token ? replaced_weight : 0) +
           (in_doubt ? doubted_weight : 0);
}

/// How many tokens a publication deletes, at most.
std::size_t deleted_by(Publication const& publication)
{
    Plan const& plan = *publication.plan;
    return plan.withdraw.size() +
           (plan.delete_tokens.has_value() || plan.delete_leftovers ? publication.meeting->participants.size() : 0);
}

/// Whether most of the tokens take the place of others: how long that takes is learned apart.
bool replaces_tokens(std::span<Publication const> publications)
{
    std::size_t all = 0;
    std::size_t replacing = 0;
    for (Publication const& publication : publications) {
        all += publication.tokens.size();
        for (SignedToken const& token : publication.tokens)
            if (publication.meeting->participants[token.participant].token)
                ++replacing;
    }
    return 2 * replacing > all;
}

/// Of what weighs `rest`, how much comes next.
std::size_t weight_of_next(SliceSize const& size, std::size_t rest)
{
    return token_weight * size.next((rest + token_weight - 1) / token_weight);
}

} // namespace

StoreWriter::StoreWriter(
    StoreFile& store, Clock& clock, boost::asio::any_io_executor executor, boost::asio::any_io_executor background
)
    : store_{store},
      clock_{clock},
      executor_{executor},
      background_{std::move(background)},
      lock_gap_{store.data_version()},
      slice_size_{lock_goal},
      replacing_size_{lock_goal},
      checkpointed_{clock, executor}
{
    store_.watch_lock([this](LockStep step) { hear_of_lock(step); });
}

StoreWriter::~StoreWriter()
{
    store_.watch_lock({});
}

void StoreWriter::hear_of_lock(LockStep step)
{
    const Instant now = clock_.steady_now();
    const auto waited = [&] { return now - std::exchange(lock_wanted_, std::nullopt).value_or(now); };
    switch (step) {
    case LockStep::wanted: lock_wanted_ = now; break;
    case LockStep::refused:
        if (const Duration in_vain = waited(); wrote_)
            wrote_(in_vain, std::nullopt);
        break;
    case LockStep::taken:
        lock_waited_ = waited();
        lock_gap_.lock(true, now);
        break;
    case LockStep::released:
        lock_gap_.lock(false, now);
        if (wrote_)
            wrote_(lock_waited_, lock_gap_.last_held());
        break;
    }
}

boost::asio::awaitable<Published> StoreWriter::publish(std::vector<Publication> publications)
{
    std::size_t rest = 0; // of the weight, without doubts
    for (Publication const& publication : publications) {
        for (SignedToken const& token : publication.tokens)
            rest += weight_of(*publication.meeting, token, false);
        rest += meeting_weight + delete_weight * deleted_by(publication);
    }
    SliceSize& size = replaces_tokens(publications) ? replacing_size_ : slice_size_;
    std::size_t most = weight_of_next(size, rest);
    Published result;
    result.each.resize(publications.size());
    Slice slice;
    std::size_t first = 0; // publication of the slice
    for (std::size_t i = 0; i < publications.size(); ++i) {
        Publication part = publications[i];
        std::span<SignedToken const> left = part.tokens;
        const std::size_t deletes = delete_weight * deleted_by(part);
        do {
            const std::size_t room = most - std::min(slice.weight, most);
            const bool in_doubt = store_.doubts(part);
            std::size_t count = 0;
            std::size_t weight = 0;
            for (; count < left.size() && weight < room; ++count)
                weight += weight_of(*part.meeting, left[count], in_doubt);
            const std::size_t left_room = room - std::min(room, weight);
            rest -= std::min(rest, in_doubt ? weight - doubted_weight * count : weight);
            part.tokens = left.first(count);
            left = left.subspan(count);
            const bool is_first = slice.parts.empty() && count == 0;
            const bool deletes_fit = is_first || left_room >= std::min(deletes, most / 2);
            part.last = left.empty() && deletes_fit;
            if (count > 0 || part.last) {
                slice.parts.push_back(part);
                part.first = false;
            }
            slice.weight += weight + (part.last ? meeting_weight : 0);
            slice.deletes += part.last ? deletes : 0;
            rest -= std::min(rest, part.last ? meeting_weight + deletes : 0);
            const bool ends = i + 1 == publications.size() && part.last;
            if (slice.weight + slice.deletes < most && !ends && (part.last || !left.empty()))
                continue;
            slice.deletes_max = std::max((most - std::min(slice.weight, most)) * 3 / 4 / delete_weight, deletes_min);
            Slice whole = std::exchange(slice, {});
            const bool ends_with_part = whole.parts.back().meeting == part.meeting;
            whole.size = &size;
            const WrittenSlice written = co_await publish_slice(std::move(whole));
            if (ends_with_part && written.last_session != SessionNo{})
                part.numbered = written.last_session;
            for (std::size_t k = 0; k < written.published.each.size(); ++k) {
                result.each[first + k] += written.published.each[k];
                result.counts += written.published.each[k];
            }
            for (Published::Refused const& refused : written.published.refused)
                result.refused.push_back({first + refused.publication, refused.why});
            if (stopping_)
                co_return result;
            first = part.last ? i + 1 : i;
            most = weight_of_next(size, rest);
        } while (!part.last);
    }
    co_return result;
}

boost::asio::awaitable<StoreWriter::WrittenSlice> StoreWriter::publish_slice(Slice slice)
{
    if (const Duration gap = gap_left(); gap > warm_up_time) {
        co_await clock_.wait(gap - warm_up_time);
        store_.warm_up(slice.parts);
    }
    co_await take_turn();
    WrittenSlice result;
    std::optional<std::string> refusal;
    try {
        StoreFile::PublishedSlice written = store_.publish(slice.parts, clock_.now(), slice.deletes_max);
        // Tokens that are not written tell nothing of those that are.
        if (std::all_of(written.counts.begin(), written.counts.end(), [](PublishCounts const& counts) {
                return counts.skipped == 0;
            }))
            slice.size->took((slice.weight + delete_weight * written.deleted) / token_weight, lock_gap_.last_held());
        result.published.each = std::move(written.counts);
        result.last_session = written.sessions.back();
    } catch (RowError const& error) {
        refusal = error.what();
    }
    if (refusal)
        result = co_await publish_each(std::move(slice), std::move(*refusal));
    co_await keep_log_small();
    co_return result;
}

/// One of them cannot be written. The others are, each by itself.
boost::asio::awaitable<StoreWriter::WrittenSlice> StoreWriter::publish_each(Slice slice, std::string refusal)
{
    WrittenSlice result;
    result.published.each.resize(slice.parts.size());
    if (slice.parts.size() == 1) {
        result.published.refused.push_back({0, std::move(refusal)});
        co_return result;
    }
    for (std::size_t i = 0; i < slice.parts.size(); ++i) {
        co_await take_turn();
        result.last_session = {};
        try {
            const auto written = store_.publish({&slice.parts[i], 1}, clock_.now(), slice.deletes_max);
            result.published.each[i] = written.counts.front();
            result.last_session = written.sessions.back();
        } catch (RowError const& reason) {
            result.published.refused.push_back({i, reason.what()});
        }
    }
    co_return result;
}

boost::asio::awaitable<RequestStep> StoreWriter::advance_requests()
{
    RequestStep all;
    for (int i = 0; i < request_steps && (i == 0 || all.more); ++i) {
        if (store_.has_request_work())
            co_await take_turn();
        RequestStep step = store_.advance_requests(clock_.now());
        all.more = step.more;
        for (RequestNews& news : step.finished)
            all.finished.push_back(std::move(news));
    }
    co_return all;
}

boost::asio::awaitable<CallRecord> StoreWriter::record_calls(CallNews news)
{
    if (news.empty())
        co_return CallRecord{};
    co_await take_turn(TurnOrder::before_slices);
    co_return store_.record_calls(news, clock_.now());
}

boost::asio::awaitable<Inspection> StoreWriter::inspect()
{
    co_await take_turn();
    Inspection found = store_.inspect(clock_.steady_now());
    if (!store_.has_damage(found.state)) {
        co_await take_turn();
        store_.record_damage(found.state);
    }
    co_return found;
}

boost::asio::awaitable<void> StoreWriter::record_doors(Policy policy)
{
    if (store_.has_doors(policy))
        co_return;
    co_await take_turn();
    store_.record_doors(policy);
}

boost::asio::awaitable<void> StoreWriter::beat(sys_seconds certain)
{
    co_await take_turn();
    store_.beat(clock_.now(), certain);
}

boost::asio::awaitable<bool> StoreWriter::renumber(std::size_t limit)
{
    if (!store_.has_unnumbered())
        co_return false;
    co_await take_turn();
    co_return store_.renumber(limit, clock_.now());
}

boost::asio::awaitable<void> StoreWriter::add_missing(std::vector<std::string> meeting_ids)
{
    if (meeting_ids.empty())
        co_return;
    co_await take_turn();
    store_.add_missing(meeting_ids);
}

boost::asio::awaitable<void> StoreWriter::remove(Outdated outdated)
{
    if (outdated.rows.empty())
        co_return;
    co_await take_turn();
    store_.remove(outdated);
}

boost::asio::awaitable<void> StoreWriter::forget_unreadable(std::vector<MeetingNo> meetings)
{
    if (meetings.empty())
        co_return;
    co_await take_turn();
    store_.forget_unreadable(meetings);
}

std::vector<HealthRow> StoreWriter::health() const
{
    const auto longest = std::chrono::duration_cast<std::chrono::microseconds>(lock_gap_.longest_held());
    return {{"lock_held_max_us", longest.count(), "us", "the longest that usherd has kept others from writing"}};
}

/// Lets others have their turn before the lock is taken again.
boost::asio::awaitable<void> StoreWriter::take_turn(TurnOrder turn)
{
    const bool goes_first = turn == TurnOrder::before_slices;
    struct Waits {
        explicit Waits(std::size_t& of) : count{of} { ++count; }
        Waits(Waits const&) = delete;
        Waits& operator=(Waits const&) = delete;
        ~Waits() { --count; }
        std::size_t& count;
    };
    std::optional<Waits> waits;
    if (goes_first)
        waits.emplace(waiting_first_);
    bool was_away = goes_first; // all others give way once
    for (int turns = 0; turns < turns_max; ++turns) {
        const Duration gap = gap_left();
        const bool others_first = !goes_first && waiting_first_ > 0;
        if (gap == Duration::zero() && !others_first && was_away)
            break;
        co_await clock_.wait(others_first ? std::max(gap, others_turn) : gap);
        was_away = true; // somebody else may have held the lock meanwhile: look again
    }
}

/// SQLite's own notice of others' commits is asked each time: it is what tells that somebody writes.
Duration StoreWriter::gap_left()
{
    const Instant now = clock_.steady_now();
    lock_gap_.look(store_.data_version(), now);
    return lock_gap_.left(now);
}

/// A second connection moves the WAL into the database while more is appended. Once the WAL is long it moves the rest
/// while nothing is appended, so that the WAL starts anew.
boost::asio::awaitable<void> StoreWriter::keep_log_small()
{
    const int pages = store_.wal_pages();
    const int usual = lock_gap_.beside_a_writer(clock_.steady_now()) ? log_pages_max_beside_a_writer : log_pages_max;
    if (pages < log_pages_moved_) { // it has started anew
        log_pages_moved_ = 0;
        log_held_.reset();
    }
    const int most = log_held_ ? std::max(usual, log_held_->pages_max) : usual;
    if (pages < most) {
        const int worthwhile = pages < most * 3 / 4 ? usual / 3 : log_pages_worth_moving;
        if (!checkpointing_ && pages - log_pages_moved_ >= worthwhile)
            start_checkpoint();
        co_return;
    }
    co_await come_to_rest();
    start_checkpoint();
    co_await come_to_rest();
    // Waits, without the lock, for readers that began before all of the WAL was moved.
    const bool stays = log_held_ && clock_.steady_now() - log_held_->since >= reader_stays;
    co_await take_turn();
    bool restarted = store_.checkpoint(StoreFile::Checkpoint::restart);
    for (int tries = stays ? 1 : restart_tries; !restarted && tries > 0; --tries) {
        co_await clock_.wait(stays ? held_pause : restart_pause);
        co_await take_turn(); // each try takes the lock
        restarted = store_.checkpoint(StoreFile::Checkpoint::restart);
    }
    if (restarted) {
        log_held_.reset();
        co_return;
    }
    if (!log_held_)
        log_held_ = LogHeld{clock_.steady_now(), 0};
    const int again_at = stays ? 2 * pages : pages + usual / 8;
    log_held_->pages_max = std::min(again_at, log_pages_held_max);
}

std::string StoreWriter::concern() const
{
    const std::int64_t bytes = std::int64_t{store_.wal_pages()} * page_size;
    if (!log_held_ || bytes < held_log_bytes)
        return {};
    return held_log_text(bytes, std::chrono::floor<seconds>(clock_.steady_now() - log_held_->since));
}

boost::asio::awaitable<void> StoreWriter::come_to_rest()
{
    while (checkpointing_)
        co_await checkpointed_.wait(long_wait);
    if (checkpoint_error_)
        std::rethrow_exception(std::exchange(checkpoint_error_, nullptr));
}

void StoreWriter::start_checkpoint()
{
    if (!checkpointer_)
        checkpointer_.emplace(StoreFile::open(store_.path()));
    checkpointing_ = true;
    log_pages_moved_ = store_.wal_pages();
    boost::asio::post(background_, [this] {
        std::exception_ptr error;
        try {
            checkpointer_->checkpoint(StoreFile::Checkpoint::passive);
        } catch (...) {
            error = std::current_exception();
        }
        boost::asio::post(executor_, [this, error = std::move(error)] {
            checkpoint_error_ = error;
            checkpointing_ = false;
            checkpointed_.notify();
        });
    });
}

} // namespace usher
