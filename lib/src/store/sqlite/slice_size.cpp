// SPDX-License-Identifier: Apache-2.0
#include <usher/store/sqlite/slice_size.hpp>

#include <algorithm>

namespace usher {

namespace {

constexpr std::size_t size_min = 256;
constexpr std::size_t size_max = 8192;
constexpr std::size_t telling_min = size_min / 2; // in less there is more to it than tokens

} // namespace

/// None of them larger than they should be by more than an eighth.
std::size_t SliceSize::slices(std::size_t tokens) const
{
    const std::size_t count = std::max<std::size_t>(tokens / size_, 1);
    return tokens > count * (size_ + size_ / 8) ? count + 1 : count;
}

std::size_t SliceSize::next(std::size_t rest) const
{
    const std::size_t count = slices(rest);
    return std::max<std::size_t>((rest + count - 1) / count, 1);
}

std::size_t SliceSize::fill(std::size_t about) const
{
    const std::size_t count = slices(about);
    return count > 1 ? count * size_ : about;
}

void SliceSize::took(std::size_t tokens, Duration held)
{
    if (tokens < telling_min)
        return;
    per_token_[count_++ % per_token_.size()] = held / tokens;
    // The median: a thread that lost its processor for a while is no reason for smaller slices.
    auto sorted = per_token_;
    const auto end = sorted.begin() + std::min(count_, sorted.size());
    const auto middle = sorted.begin() + (end - sorted.begin()) / 2;
    std::nth_element(sorted.begin(), middle, end);
    const auto fitting = static_cast<std::size_t>(goal_ / std::max(*middle, Duration{1}));
    size_ = std::clamp(fitting, size_ * 3 / 4, size_ * 5 / 4);
    size_ = std::clamp(size_, size_min, size_max);
}

} // namespace usher
