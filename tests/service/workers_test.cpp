// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <stdexcept>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <gtest/gtest.h>

#include <usher/service/workers.hpp>

namespace usher {
namespace {

TEST(Workers, DoEverythingOnce)
{
    boost::asio::thread_pool pool{3};
    for (const std::size_t count : {0U, 1U, 2U, 3U, 1000U}) {
        std::vector<std::atomic<int>> times(count);
        share({pool.get_executor(), 3}, count, [&](std::size_t first, std::size_t last) {
            ASSERT_LT(first, last);
            for (std::size_t i = first; i < last; ++i)
                ++times[i];
        });
        for (std::size_t i = 0; i < count; ++i)
            EXPECT_EQ(times[i], 1) << i << " of " << count;
    }
}

TEST(Workers, WhoeverAsksWorksAlone)
{
    boost::asio::io_context context; // nobody runs it until all is done
    std::size_t done = 0;
    share({context.get_executor(), 3}, 100, [&](std::size_t first, std::size_t last) { done += last - first; });
    EXPECT_EQ(done, 100U);
    EXPECT_GT(context.run(), 0U); // helpers that come too late
    EXPECT_EQ(done, 100U);
}

TEST(Workers, AnErrorEndsTheWorkAndIsThrown)
{
    boost::asio::thread_pool pool{3};
    for (const std::size_t bad : {0U, 500U, 999U}) {
        std::atomic<std::size_t> done = 0;
        const auto work = [&](std::size_t first, std::size_t last) {
            if (first <= bad && bad < last)
                throw std::runtime_error{"bad"};
            done += last - first;
        };
        EXPECT_THROW(share({pool.get_executor(), 3}, 1000, work), std::runtime_error);
        EXPECT_LT(done, 1000U);
    }
}

} // namespace
} // namespace usher
