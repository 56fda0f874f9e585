// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include <algorithm>
#include <utility>

#include <unistd.h>

#include <usher/core/time.hpp>

#include "page.hpp"

namespace usher::ctl {

void Progress::add(std::size_t rows)
{
    using namespace std::chrono_literals;
    rows_ += rows;
    if (where_ == Where::nowhere)
        return;
    const auto now = SteadyClock::now();
    const bool on_terminal = where_ == Where::terminal;
    if (now - start_ < 1s || now - last_ < (on_terminal ? SteadyClock::duration{200ms} : SteadyClock::duration{10s}))
        return;
    last_ = now;
    const std::size_t total = std::max({total_, rows_, std::size_t{1}});
    const std::size_t tenths = rows_ * 10 / total;
    const auto left = std::chrono::ceil<seconds>((now - start_) * (total - rows_) / std::max<std::size_t>(rows_, 1));
    if (on_terminal)
        out_ << "\r\033[K";
    out_ << doing_ << " ";
    if (on_terminal)
        out_ << "[" << std::string(tenths, '#') << std::string(10 - tenths, ' ') << "] ";
    out_ << rows_ * 100 / total << " %, " << rows_ << " of " << total << ", " << to_text(left) << " left";
    if (!on_terminal)
        out_ << "\n";
    written_ = on_terminal;
}

void Progress::clear()
{
    if (std::exchange(written_, false))
        out_ << "\r\033[K";
}

Progress::Where progress_on_standard_error(bool wanted)
{
    if (!wanted)
        return Progress::Where::nowhere;
    return ::isatty(STDERR_FILENO) == 1 && terminal_is_able() ? Progress::Where::terminal : Progress::Where::elsewhere;
}

} // namespace usher::ctl
