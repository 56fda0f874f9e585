// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace usher {

// What writes to room that is there, and returns where it ended.

inline char* put(char* to, char c)
{
    *to = c;
    return to + 1;
}

inline char* put(char* to, std::string_view text)
{
    if (!text.empty()) // else its data may be null
        std::memcpy(to, text.data(), text.size());
    return to + text.size();
}

constexpr std::size_t number_room = 20; ///< What any std::int64_t needs.

char* put(char* to, std::int64_t number);

/// Text that is composed piece by piece. What a token usually needs lies within, so that nothing is allocated; unlike a
/// std::string it is written to without being filled before.
class TextBuffer {
public:
    TextBuffer() = default;
    TextBuffer(TextBuffer const&) = delete;
    TextBuffer& operator=(TextBuffer const&) = delete;

    /// The end of the text, with room for `bytes` more; write there, then tell `end_at` where that ended.
    char* room(std::size_t bytes)
    {
        if (bytes > static_cast<std::size_t>(limit_ - end_))
            grow(bytes);
        return end_;
    }
    void end_at(char* end) { end_ = end; }

    std::string_view text() const { return {begin_, static_cast<std::size_t>(end_ - begin_)}; }

private:
    void grow(std::size_t bytes);

    std::array<char, 2000> within_;
    std::unique_ptr<char[]> beyond_;
    char* begin_ = within_.data();
    char* end_ = within_.data();
    char* limit_ = within_.data() + within_.size();
};

} // namespace usher
