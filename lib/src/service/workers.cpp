// SPDX-License-Identifier: Apache-2.0
#include <usher/service/workers.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include <boost/asio/post.hpp>

#include <usher/async/wakeup.hpp>

namespace usher {

namespace {

constexpr std::size_t chunk = 2; // half a millisecond of RSA: what the last one may be waited for

/// Outlives the call for helpers that start when all is done.
class SharedWork {
public:
    SharedWork(std::size_t count, std::function<void(std::size_t, std::size_t)> work)
        : count_{count}, work_{std::move(work)}
    {}

    void help()
    {
        std::size_t done = 0;
        std::exception_ptr error;
        for (;;) {
            const std::size_t first = next_.fetch_add(chunk);
            if (first >= count_)
                break;
            const std::size_t last = std::min(first + chunk, count_);
            done += last - first;
            try {
                work_(first, last);
            } catch (...) {
                error = std::current_exception();
                done += count_ - std::min(next_.exchange(count_), count_); // nobody takes the rest any more
                break;
            }
        }
        if (done > 0)
            finish(done, std::move(error));
    }

    void wait()
    {
        std::unique_lock lock{mutex_};
        done_.wait(lock, [this] { return finished_ == count_; });
        if (error_)
            std::rethrow_exception(error_);
    }

private:
    void finish(std::size_t count, std::exception_ptr error)
    {
        const std::lock_guard lock{mutex_};
        finished_ += count;
        if (error && !error_)
            error_ = std::move(error);
        if (finished_ == count_)
            done_.notify_all();
    }

    const std::size_t count_;
    const std::function<void(std::size_t, std::size_t)> work_;
    std::atomic<std::size_t> next_ = 0;
    std::mutex mutex_;
    std::condition_variable done_;
    std::size_t finished_ = 0;
    std::exception_ptr error_;
};

} // namespace

void share(Workers const& workers, std::size_t count, std::function<void(std::size_t, std::size_t)> work)
{
    if (count == 0)
        return;
    const auto shared = std::make_shared<SharedWork>(count, std::move(work));
    const std::size_t helpers = std::min(workers.count, (count + chunk - 1) / chunk) - 1;
    for (std::size_t i = 0; i < helpers; ++i)
        boost::asio::post(workers.executor, [shared] { shared->help(); });
    shared->help(); // whoever asks works too: on an executor of one thread, alone
    shared->wait();
}

boost::asio::awaitable<void>
on_workers(Workers workers, Clock& clock, boost::asio::any_io_executor executor, std::function<void()> work)
{
    constexpr auto long_wait = std::chrono::hours{1};
    struct Errand {
        std::function<void()> work;
        Wakeup ended;
        bool over = false;
        std::exception_ptr error{};
    };
    const auto errand = std::make_shared<Errand>(Errand{std::move(work), Wakeup{clock, executor}});
    boost::asio::post(workers.executor, [errand, executor] {
        try {
            errand->work();
        } catch (...) {
            errand->error = std::current_exception();
        }
        boost::asio::post(executor, [errand] {
            errand->over = true;
            errand->ended.notify();
        });
    });
    while (!errand->over)
        co_await errand->ended.wait(long_wait);
    if (errand->error)
        std::rethrow_exception(errand->error);
}

} // namespace usher
