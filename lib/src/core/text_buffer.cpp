// SPDX-License-Identifier: Apache-2.0
#include <usher/core/text_buffer.hpp>

#include <utility>

namespace usher {

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
