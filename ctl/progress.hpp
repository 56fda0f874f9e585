// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "printer.hpp"

namespace usher::ctl {

/// How far long work is, once it has taken a second: one line on a terminal, `importing [######    ] 61 %, 183 of 300,
/// 9s left`; elsewhere a line each ten seconds, without the bar.
class Progress {
public:
    enum class Where { nowhere, terminal, elsewhere };

    /// `doing` begins the line.
    Progress(Printer& out, Where where, std::string doing, std::size_t total = 0)
        : out_{out}, where_{where}, doing_{std::move(doing)}, total_{total}
    {}
    Progress(Progress const&) = delete;
    Progress& operator=(Progress const&) = delete;
    ~Progress() { clear(); }

    /// Whether anything is ever shown, so that the total is worth its count.
    bool is_shown() const { return where_ != Where::nowhere; }
    void set_total(std::size_t total) { total_ = total; }

    void add(std::size_t rows);

    /// Before anything else is printed.
    void clear();

private:
    using SteadyClock = std::chrono::steady_clock;

    Printer& out_;
    Where where_;
    std::string doing_;
    std::size_t total_;
    std::size_t rows_ = 0;
    bool written_ = false;
    SteadyClock::time_point start_ = SteadyClock::now();
    SteadyClock::time_point last_ = start_;
};

/// Where standard error leads; nowhere, when it is not wanted.
Progress::Where progress_on_standard_error(bool wanted);

} // namespace usher::ctl
