// SPDX-License-Identifier: Apache-2.0
#include <usher/core/text_buffer.hpp>

#include <charconv>
#include <utility>

namespace usher {

namespace {

constexpr std::array<std::array<char, 2>, 100> two_digits = [] {
    std::array<std::array<char, 2>, 100> texts{};
    for (std::size_t i = 0; i < texts.size(); ++i)
        texts[i] = {static_cast<char>('0' + i / 10), static_cast<char>('0' + i % 10)};
    return texts;
}();

char* put_two(char* to, std::uint32_t number)
{
    std::memcpy(to, two_digits[number].data(), 2);
    return to + 2;
}

char* put_eight(char* to, std::uint32_t number)
{
    const std::uint32_t high = number / 10'000;
    const std::uint32_t low = number % 10'000;
    return put_two(put_two(put_two(put_two(to, high / 100), high % 100), low / 100), low % 100);
}

} // namespace

char* put(char* to, std::int64_t number)
{
    // Tokens hold times, of ten digits, and nonces, of sixteen. std::to_chars takes twice as long: for each division it
    // waits for the one before.
    constexpr std::uint64_t eight_digits = 100'000'000;
    const auto magnitude = static_cast<std::uint64_t>(number);
    const auto high = static_cast<std::uint32_t>(magnitude / eight_digits);
    const auto low = static_cast<std::uint32_t>(magnitude % eight_digits);
    if (number >= 1'000'000'000 && number < 10'000'000'000)
        return put_eight(put_two(to, high), low);
    if (number >= 1'000'000'000'000'000 && number < 10'000'000'000'000'000)
        return put_eight(put_eight(to, high), low);
    return std::to_chars(to, to + number_room, number).ptr;
}

void TextBuffer::grow(std::size_t bytes)
{
    const std::size_t size = text().size();
    const std::size_t capacity = 2 * size + bytes;
    std::unique_ptr<char[]> larger{new char[capacity]};
    std::memcpy(larger.get(), begin_, size);
    beyond_ = std::move(larger);
    begin_ = beyond_.get();
    end_ = begin_ + size;
    limit_ = begin_ + capacity;
}

} // namespace usher
