// SPDX-License-Identifier: Apache-2.0
#include "early_signals.hpp"

#include <csignal>
#include <initializer_list>
#include <string_view>

#include <poll.h>
#include <unistd.h>

#include <usher/core/exit_status.hpp>

#include "journal.hpp"

namespace usher {

namespace {

volatile std::sig_atomic_t early_exit_status = 0;
volatile std::sig_atomic_t is_journal = 0; // on standard error

/// Does not wait: whoever reads may be stopped. Safe in a signal handler.
void say(std::string_view text)
{
    pollfd writable{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&writable, 1, 0) <= 0)
        return;
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

void leave(int /*signal*/)
{
    say("usherd: stopped by a signal before its work began\n");
    ::_exit(early_exit_status); // as safe as a kill -9, which the database takes
}

/// A file that is mapped was cut: a thread is in the middle of it and cannot go on.
void leave_what_was_cut(int /*signal*/)
{
    if (is_journal != 0)
        say("<3>");
    say("usherd: DATABASE-shm was cut while it was in use; all that was committed is kept; "
        "restart all programs that had it open\n");
    ::_exit(exit_could_not);
}

void change_mask(int how, std::initializer_list<int> signals)
{
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : signals)
        ::sigaddset(&set, signal);
    ::pthread_sigmask(how, &set, nullptr); // threads that are started later inherit it
}

} // namespace

void set_up_early_signals()
{
    is_journal = is_journal_on_standard_error() ? 1 : 0;
    change_mask(SIG_BLOCK, {SIGHUP});
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGTERM, leave);
    ::signal(SIGINT, leave);
    ::signal(SIGBUS, leave_what_was_cut);
    change_mask(SIG_UNBLOCK, {SIGTERM, SIGINT}); // whoever started us may have blocked them
}

void set_early_exit_status(int exit_status)
{
    early_exit_status = exit_status;
}

void take_no_signals_in_this_thread()
{
    change_mask(SIG_BLOCK, {SIGTERM, SIGINT, SIGHUP});
}

void be_ended_by_signals()
{
    ::signal(SIGTERM, SIG_DFL);
    ::signal(SIGINT, SIG_DFL);
    change_mask(SIG_UNBLOCK, {SIGTERM, SIGINT});
}

void release_hangup(bool serve)
{
    if (!serve)
        ::signal(SIGHUP, SIG_IGN);
    change_mask(SIG_UNBLOCK, {SIGHUP});
}

} // namespace usher
