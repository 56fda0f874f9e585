// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <usher/core/meeting.hpp>
#include <usher/core/request.hpp>
#include <usher/store/records.hpp>

#include "statements.hpp"

namespace usher {

/// What is on record of requests: the tables `request_result` and `request_meeting`. Nothing here begins or ends a
/// transaction.
class RequestBook {
public:
    explicit RequestBook(Statements& statements) : db_{statements} {}

    /// What is asked of a meeting, by number, up to `open_work_max`. One seek where nothing is.
    std::vector<OpenWork> open_work(std::int64_t meeting_no);

    /// Tokens that were stored for a meeting, whether or not it is served by them.
    void count_tokens(MeetingSnapshot const& meeting, std::size_t tokens);

    /// Takes off the record what `meeting` has been served for.
    void end(MeetingSnapshot const& meeting, Plan const& plan, PublishOutcome outcome, sys_seconds now);
    /// The meeting's row goes, and everything with it.
    void forget(std::int64_t meeting_no);

    /// Writes what the calls above have counted, and finishes requests whose meetings have all been served. To be
    /// called at the end of each transaction that may have.
    void keep_counts(sys_seconds now);
    /// Before a transaction: what one that failed has counted is void.
    void drop_counts() { counted_.clear(); }

    struct Single {
        std::string action;
        std::string meeting_id;
    };
    struct Refusal {
        std::int64_t request_no;
        std::string why;
    };
    /// What is done next for requests. It is found without the write lock, and done with it, in a short time however
    /// many there are.
    struct Portion {
        std::vector<std::int64_t> unrecorded; ///< Ids of requests without a result of their own.
        std::vector<std::int64_t> orphans;    ///< Numbers of results without their request.
        std::vector<Refusal> refusals;        ///< Requests that no CHECK refused.
        std::vector<Single> singles;          ///< Requests for one meeting, to be begun.
        std::optional<std::int64_t> many;     ///< Number of a request for many meetings, to be begun.
        // Or a chunk of what is under way:
        std::optional<std::int64_t> request_no;
        std::optional<std::int64_t> work_no;
        std::string action;
        MarkPass pass = MarkPass::near;
        bool takes_back = false;
        std::int64_t cursor_no = 0;
        std::optional<std::int64_t> next_cursor_no; ///< None when this is the last chunk.
        std::vector<std::int64_t> meetings;         ///< To be marked, or taken back.
        std::string refusal;                        ///< Why nothing can be marked at all.
    };
    bool has_work(); ///< So next() may find something.
    std::optional<Portion> next(sys_seconds now);
    void take(Portion const& portion, sys_seconds now);

    /// Those that were finished since the last call.
    std::vector<RequestNews> news() { return std::exchange(news_, {}); }

    /// Has the request `id` recorded as filed, where no trigger did it.
    void record(std::int64_t id);

private:
    std::vector<std::int64_t> find_unrecorded();
    std::vector<std::int64_t> find_orphans();
    std::vector<Refusal> find_invalid();
    std::optional<Portion> find_chunk(sys_seconds now);
    Portion find_taken_back(Portion portion);
    template <class... Values>
    std::vector<std::int64_t> numbers(char const* sql, Values const&... values);
    std::int64_t begin_single(Single const& single, sys_seconds now); ///< How many requests were.
    void begin_many(std::int64_t request_no, sys_seconds now);
    void mark(std::string const& action, std::int64_t work_no, std::int64_t meeting_no, std::optional<MarkPass> pass);
    void finish_if_done(std::int64_t work_no, sys_seconds now);
    void finish(std::int64_t work_no, RequestState state, std::string const& detail, sys_seconds now);
    void refuse(std::int64_t work_no, std::string const& why, sys_seconds now);
    std::int64_t new_work();
    std::int64_t schema_version();

    Statements& db_;
    std::map<std::int64_t, RequestCounts> counted_; ///< By work, in the transaction at hand.
    std::vector<RequestNews> news_;
    std::optional<std::int64_t> compared_; ///< The schema's version when all requests were last compared.
    std::int64_t compared_to_ = std::numeric_limits<std::int64_t>::min(); ///< The last id, while they are.
};

} // namespace usher
