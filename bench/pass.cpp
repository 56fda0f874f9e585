// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <usher/async/clock.hpp>
#include <usher/service/provisioning.hpp>
#include <usher/service/random.hpp>
#include <usher/service/session_maker.hpp>
#include <usher/store/make_store.hpp>

#include "usher_bench.hpp"

namespace usher::bench {

void measure_pass(std::string const& path, int count)
{
    boost::asio::io_context context;
    SystemClock clock;
    SystemRandom random;
    const std::unique_ptr<Store> store =
        make_store(path, "usher-bench", clock, context.get_executor(), context.get_executor());
    store->open();
    store->take_over();
    SessionMaker maker{context.get_executor(), *store, clock, random, [] {}};
    Provisioner provisioner{*store, clock, random, maker, context.get_executor(), {context.get_executor()},
                            {},     {}}; // no project: nothing is due, so none is asked
    std::vector<double> times;
    for (int i = 0; i < count; ++i) {
        PassResult result;
        std::exception_ptr failure;
        const auto start = SteadyClock::now();
        boost::asio::co_spawn(context, provisioner.pass(), [&](std::exception_ptr error, PassResult done) {
            failure = std::move(error);
            result = done;
        });
        context.restart();
        context.run();
        if (failure)
            std::rethrow_exception(failure);
        store->next_due();
        times.push_back(seconds_since(start) * 1e6);
        if (result.looked_at != 0)
            throw std::runtime_error{"something is due"};
    }
    std::nth_element(times.begin(), times.begin() + count / 2, times.end());
    print("pass_us", times[static_cast<std::size_t>(count) / 2]);
}

} // namespace usher::bench
