// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/async/clock.hpp>
#include <usher/core/plan.hpp>
#include <usher/service/readers.hpp>
#include <usher/service/suspects.hpp>
#include <usher/service/workers.hpp>
#include <usher/store/store.hpp>

namespace usher {

/// Meetings that were planned under another configuration, or in what has become the future.
std::vector<Suspect> stale_meetings(StoreReader const& reader, Projects const& projects, sys_seconds now);

/// Goes through all rows, a chunk at a time: adds rows of `agenda` that are missing, finds meetings of which no trigger
/// told, and removes what is outdated.
class Sweep {
public:
    struct Chunk {
        std::vector<Suspect> suspects;
        bool more = true;
    };

    /// `executor` is where all members are called.
    Sweep(Store& store, Readers& readers, Clock& clock, boost::asio::any_io_executor executor, Workers workers);

    /// From the beginning. What is published from now on has been compared then.
    void start();

    /// The next chunk. Errors: those of Store; after DatabaseDamaged, it has to be started anew.
    boost::asio::awaitable<Chunk> next(Projects projects, sys_seconds outdated_before);

private:
    boost::asio::awaitable<Chunk> look(Projects projects, sys_seconds outdated_before);
    boost::asio::awaitable<void> add_missing(std::string after);
    boost::asio::awaitable<std::vector<Suspect>> compare(Projects projects, MeetingNo after);
    boost::asio::awaitable<void> remove_outdated(sys_seconds before);

    Store& store_;
    Readers& readers_;
    Clock& clock_;
    boost::asio::any_io_executor executor_;
    Workers workers_;
    std::optional<std::string> ids_ = std::string{}; ///< While rows of `agenda` are looked for that are missing.
    std::optional<MeetingNo> after_ = MeetingNo{0};  ///< While meetings are gone through.
    std::int64_t since_ = 0;                         ///< The last seq when it began.
    Outdated::Cursor outdated_{};
    std::shared_ptr<StoreReader> reader_{};
};

} // namespace usher
