// SPDX-License-Identifier: Apache-2.0
#include "simulation/lean_sqlite.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include <malloc.h>
#include <sqlite3.h>

namespace usher::simulation {

namespace {

#ifdef __SANITIZE_ADDRESS__ // it watches over each block of the system's
constexpr bool is_watched = true;
#else
constexpr bool is_watched = false;
#endif
constexpr std::size_t arena_bytes = 1 << 20;
constexpr std::size_t block_bytes_max = 1 << 17; // what is larger comes from the system, each by itself
constexpr std::size_t classes = 2 * 17 + 1;

/// In front of each block. A free one keeps its neighbour in the list where its content was.
struct Head {
    std::uint32_t bytes; ///< Of the content.
    std::uint32_t kind;  ///< Which list it belongs to.
};
struct Free {
    Free* next;
};

struct Size {
    std::size_t whole; ///< The head included.
    std::uint32_t kind;
};

/// Powers of two, and three quarters of them.
Size size_for(int content)
{
    const std::size_t least = std::max(static_cast<std::size_t>(content), sizeof(Free)) + sizeof(Head);
    const auto bits = static_cast<std::uint32_t>(std::bit_width(least - 1));
    const std::size_t power = std::size_t{1} << bits;
    const std::size_t less = power - power / 4;
    return bits > 4 && least <= less ? Size{less, 2 * bits - 1} : Size{power, 2 * bits};
}

std::array<Free*, classes> free_blocks{};
char* arena = nullptr; // what is left of the last one; none is given back
std::size_t arena_left = 0;

Head& head_of(void* content)
{
    return *reinterpret_cast<Head*>(static_cast<char*>(content) - sizeof(Head));
}

void* content_of(void* block, Size size)
{
    auto* const head = new (block) Head{static_cast<std::uint32_t>(size.whole - sizeof(Head)), size.kind};
    return head + 1;
}

void* allocate(int count)
{
    const Size size = size_for(count);
    if (size.whole > block_bytes_max) {
        void* const block = std::malloc(size.whole);
        return block == nullptr ? nullptr : content_of(block, size);
    }
    if (Free*& first = free_blocks[size.kind]; first != nullptr) {
        Free* const block = first;
        first = block->next;
        __builtin_prefetch(first); // its turn comes soon, and its content is not in the cache any more
        return block;              // its head is there still
    }
    if (arena_left < size.whole) {
        arena = static_cast<char*>(std::malloc(arena_bytes));
        arena_left = arena == nullptr ? 0 : arena_bytes;
        if (arena == nullptr)
            return nullptr;
    }
    void* const block = arena;
    arena += size.whole;
    arena_left -= size.whole;
    return content_of(block, size);
}

void release(void* content)
{
    if (head_of(content).kind >= classes)
        return std::free(&head_of(content));
    Free*& first = free_blocks[head_of(content).kind];
    first = new (content) Free{first};
}

void* resize(void* content, int count)
{
    const std::size_t before = head_of(content).bytes;
    if (size_for(count).kind == head_of(content).kind)
        return content;
    void* const other = allocate(count);
    if (other == nullptr)
        return nullptr;
    std::memcpy(other, content, std::min(before, static_cast<std::size_t>(count)));
    release(content);
    return other;
}

int size(void* content)
{
    return static_cast<int>(head_of(content).bytes);
}

int round_up(int count)
{
    return static_cast<int>(size_for(count).whole - sizeof(Head));
}

int begin(void*)
{
    return SQLITE_OK;
}

void end(void*) {}

bool set_up()
{
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    static sqlite3_mem_methods methods{allocate, release, resize, size, round_up, begin, end, nullptr};
    if (!is_watched) {
        sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
        // Large blocks come and go with every connection: the system is not asked for each again, and clears none.
        constexpr int kept_bytes = 1 << 28;
        mallopt(M_MMAP_THRESHOLD, kept_bytes);
        mallopt(M_TRIM_THRESHOLD, kept_bytes);
    }
    return true;
}

} // namespace

void make_sqlite_lean()
{
    [[maybe_unused]] static const bool is_lean = set_up();
}

} // namespace usher::simulation
