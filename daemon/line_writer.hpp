// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <usher/service/log_table.hpp>

namespace usher {

/// For how long a program that ends waits for a reader that does not read, where it does not wait for as long as it
/// takes.
constexpr std::chrono::seconds reader_patience{1};

/// From now on nothing waits longer than that: somebody asked the program to end.
void hurry_readers();

/// The name of a socket that takes datagrams, as the journal does.
struct DatagramSocket {
    std::string path;
};

/// What became of lines that were offered, by priority. Lines that are still kept are in neither.
struct LineFates {
    std::array<std::uint64_t, log_priorities> written{};
    std::array<std::uint64_t, log_priorities> dropped{};
};

/// Writes lines to a descriptor of this process, or as datagrams to a socket, and never waits for whoever reads them.
/// Lines that the reader does not take yet are kept, and are offered to the reader again with each call. The reader
/// gets the lines in their order, and each line once. Can be used by several threads.
class LineWriter {
public:
    using Notice = std::function<std::string(std::size_t dropped)>;

    /// The descriptor stays as it is: other programs may share its flags.
    explicit LineWriter(int descriptor);
    /// A line is a datagram, and need not end with a line feed.
    explicit LineWriter(DatagramSocket socket);
    LineWriter(LineWriter const&) = delete;
    LineWriter& operator=(LineWriter const&) = delete;
    ~LineWriter();

    /// Keeps the line for as long as it takes.
    void print(std::string line);

    /// Drops and counts the line while too much is kept already, and from then on until `tell_dropped` has told of it.
    /// Lines of a severity are counted by what becomes of them.
    void offer(std::string line, std::optional<LogSeverity> severity = {});

    /// Once the reader has taken all that is kept: writes what `notice` makes of the number of lines that were dropped,
    /// if there are any.
    void tell_dropped(Notice const& notice);

    /// Offers again what is kept; returns in how long to do so again, if anything is left: soon where the reader reads.
    std::optional<std::chrono::milliseconds> push();

    /// Waits until nothing is left, or for `at_most`; returns whether nothing is left.
    bool finish(std::optional<std::chrono::milliseconds> at_most = {});

    /// Whether a line is lost, since the descriptor could not be written to.
    bool failed() const;
    /// Whether somebody takes datagrams.
    bool is_connected() const;
    LineFates fates() const;

private:
    enum class Pushed { all, a_part, failed };
    struct Line {
        std::string text;
        std::size_t priority = 0; ///< 0: it is not counted.
    };

    void keep(std::string line, std::size_t priority = 0);
    Pushed push_kept();
    void lose_kept();
    void count(std::array<std::uint64_t, log_priorities>& counts, std::size_t priority);
    bool connect();
    std::ptrdiff_t send_datagram(std::string_view text);
    std::ptrdiff_t write_some(std::string_view text);

    mutable std::mutex mutex_;
    const int descriptor_;
    const std::string socket_path_; // of datagrams
    int own_ = -1; // the same pipe or terminal, opened once more, so that only we do not wait; or the datagrams' socket
    bool socket_ = false;
    bool may_wait_ = false; // a pipe or terminal that cannot be opened once more
    bool connected_ = false;
    std::deque<Line> kept_;
    LineFates fates_;
    std::size_t kept_bytes_ = 0;
    std::size_t written_ = 0; // bytes of the first line that is kept
    std::size_t dropped_ = 0; // lines that nobody was told of
    bool reads_ = true;       // the reader took something since the last push()
    bool broken_off_ = false; // the last line that was written lacks its end
    bool failed_ = false;
};

/// The process's own, which outlive all that use them.
LineWriter& standard_output();
LineWriter& standard_error();

} // namespace usher
