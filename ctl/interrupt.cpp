// SPDX-License-Identifier: Apache-2.0
#include "interrupt.hpp"

#include <atomic>
#include <cerrno>

#include <poll.h>

namespace usher::ctl {

namespace {

constexpr std::array signals{SIGINT, SIGTERM, SIGHUP};

std::atomic<bool> asked{false};
int living = 0;

extern "C" void ask(int /*signal*/)
{
    asked = true;
}

} // namespace

Interruptible::Interruptible()
{
    if (living++ == 0)
        asked = false;
    struct sigaction action {};
    action.sa_handler = ask;
    action.sa_flags = static_cast<int>(SA_RESETHAND); // no SA_RESTART: a question that waits for its answer ends
    for (std::size_t i = 0; i < signals.size(); ++i) {
        ::sigaction(signals[i], nullptr, &former_[i]);
        if (former_[i].sa_handler != SIG_IGN) // as nohup has it
            ::sigaction(signals[i], &action, nullptr);
    }
}

Interruptible::~Interruptible()
{
    for (std::size_t i = 0; i < signals.size(); ++i)
        ::sigaction(signals[i], &former_[i], nullptr);
    --living;
}

void Interruptible::check()
{
    if (asked)
        throw Interrupted{};
}

bool Interruptible::wait_for(int descriptor)
{
    sigset_t held;
    sigset_t former;
    sigemptyset(&held);
    for (const int signal : signals)
        sigaddset(&held, signal);
    ::sigprocmask(SIG_BLOCK, &held, &former); // so that none comes between the look and the wait
    pollfd readable{descriptor, POLLIN, 0};
    while (!asked && ::ppoll(&readable, 1, nullptr, &former) < 0 && errno == EINTR)
        ;
    ::sigprocmask(SIG_SETMASK, &former, nullptr);
    return !asked;
}

} // namespace usher::ctl
